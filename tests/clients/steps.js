"use strict";
/*
 * What the Node.js programs share. What they are told, and what they have to print, stands in
 * tests/system/test_clients.c.
 */
const assert = require("node:assert/strict");
const fs = require("node:fs");

const [host, port, name] = process.argv.slice(2);

/* With TLS=1, or TLS=clients, the proxy speaks TLS (tests/system/harness/secure.h). */
const secure = ["1", "clients"].includes(process.env.TLS ?? "");
const tls = secure ? { ca: fs.readFileSync(`${process.env.TLS_FOLDER}/ca.crt`) } : undefined;

/* Every increment's answer is the next number: none was lost, none done twice. */
class Count {
    n = 0;

    expect(...numbers) {
        for (const number of numbers) assert.equal(number, ++this.n);
    }
}

/* What one listener heard, in order; next() waits for more. */
class Heard {
    #messages = [];
    #wake = () => {};

    add = (...message) => {
        this.#messages.push(message);
        this.#wake();
    };

    async next() {
        while (!this.#messages.length) await new Promise((resolve) => (this.#wake = resolve));
        return this.#messages.shift();
    }
}

async function run(steps, switchover) {
    for (const [what, step] of Object.entries(steps)) {
        await step();
        console.log(what, "ok");
    }
    console.log("counter", (await switchover()).n);
    process.exit(0);
}

module.exports = { host, port: Number(port), tls, key: (s) => `${name}:${s}`, Count, Heard, run };
