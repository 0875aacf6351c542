"use strict";
/*
 * ioredis' own scripts, defineCommand(): inside MULTI, in pipelines, and alone. The library remembers
 * for each socket which it has loaded, and then says EVALSHA only. Some are first used late.
 */
const assert = require("node:assert/strict");
const { key, connect, within, serve } = require("./service");

const SCRIPTS = 40;
const r = connect(), counter = key("counter");
let n = 0, rounds = 0;

function define(i) {
    const lua = `return redis.call("INCR", KEYS[1]) + 0 * ${i} -- ${key("script")}`;
    r.defineCommand(`count${i}`, { numberOfKeys: 1, lua });
}

function counted(answers) {
    const got = answers.map(([error, answer]) => {
        if (error) throw error;
        return answer;
    });
    assert.deepEqual(got, got.map(() => ++n));
}

/* Every one within a transaction. */
async function transaction(from, to) {
    const multi = r.multi().incr(counter);
    for (let i = from; i < to; i++) multi[`count${i}`](counter);
    counted(await within("a transaction", multi.incr(counter).exec()));
}

async function round() {
    await transaction(0, SCRIPTS / 2);
    const pipeline = r.pipeline().count0(counter).incr(counter).count1(counter);
    counted(await within("a pipeline", pipeline.exec()));
    assert.equal(await within("a script", r.count2(counter)), ++n);
    define(SCRIPTS + rounds++);
    await transaction(SCRIPTS + rounds - 1, SCRIPTS + rounds);
    await new Promise((resolve) => setTimeout(resolve, 2));
}

async function finish() {
    await transaction(0, SCRIPTS); // half of them never ran before
    await transaction(SCRIPTS, SCRIPTS + rounds);
    assert.equal(Number(await within("GET", r.get(counter))), n, "the counter");
    return `${n} increments`;
}

for (let i = 0; i < SCRIPTS; i++) define(i);
serve(round, finish);
