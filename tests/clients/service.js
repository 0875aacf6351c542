"use strict";
/*
 * What the Node.js services share: see tests/system/test_services.c for what they are told and what
 * they have to print. A service works until SIGTERM, and judges itself.
 */
const Redis = require("ioredis");

const [host, port, name] = process.argv.slice(2);
const DEADLINE_MS = 15000;
let stopping = false;

/* One line says what was wrong. */
function fail(what) {
    console.log("failed:", what.replace(/\s+/g, " "));
    process.exit(1);
}

/* A lost connection is an error: nothing repairs one. */
function connect(options) {
    const r = new Redis({ host, port: Number(port), retryStrategy: null, maxRetriesPerRequest: null,
                          ...options });
    r.on("error", (error) => fail(`a connection: ${error.message}`));
    r.on("close", () => stopping || fail("a connection was closed"));
    return r;
}

/* The same, once the library has asked the server whether it is ready (INFO). What subscribes before that, it sends
 * before INFO, which a subscriber may not. */
async function connected(options) {
    const r = connect(options);
    await new Promise((resolve) => r.once("ready", resolve));
    return r;
}

/* The promise's value, or the end when it has none in time. */
async function within(what, promise) {
    const late = setTimeout(() => fail(`${what}: nothing for ${DEADLINE_MS} ms`), DEADLINE_MS);
    try {
        return await promise;
    } finally {
        clearTimeout(late);
    }
}

/* round() is called again and again until SIGTERM, then finish(), whose text is the last line. */
async function serve(round, finish) {
    let told = false;
    process.on("SIGTERM", () => (told = true));
    await round();
    console.log("ready");
    while (!told) await round();
    const done = await finish();
    stopping = true;
    console.log("done:", done);
    process.exit(0);
}

/* What nobody catches: what it says, and the place in these programs that it comes from. */
function uncaught(error) {
    const where = String(error?.stack).match(/tests\/clients\/([\w.]+:\d+)/)?.[1] ?? "";
    fail(`${error?.message ?? error} ${where}`);
}

process.on("unhandledRejection", uncaught);
process.on("uncaughtException", uncaught);

module.exports = { key: (s) => `${name}:${s}`, connect, connected, fail, within, serve };
