"use strict";
/*
 * node-redis (npm: @redis/client) through the proxy, in RESP3, where subscriptions and commands
 * share one connection; a second client speaks RESP2.
 */
const assert = require("node:assert/strict");
const { createClient, RESP_TYPES, WatchError } = require("@redis/client");
const { host, port, tls, key, Count, Heard, run } = require("./steps");

/* Nothing repairs a connection: a lost one is an error that nobody catches. */
function connect(options) {
    const socket = { host, port, reconnectStrategy: false, ...(tls && { tls: true, ...tls }) };
    return createClient({ socket, RESP: 3, unstableResp3: true, ...options }).connect();
}

let r;

const steps = {
    async connect() {
        r = await connect({ name: "node-redis" });
        assert.equal(await r.ping(), "PONG");
        assert.equal(await r.clientGetName(), "node-redis");
        const third = await connect({ database: 3 });
        const binary = third.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        const value = Buffer.from([0, 13, 10, 36, 255]);
        assert.equal(await third.set(key("binary"), value), "OK");
        assert.equal(await third.wait(2, 10000), 2); // "split" reads from the replicas
        assert.deepEqual(await binary.get(key("binary")), value);
        assert.equal(await r.get(key("binary")), null);
        await assert.rejects(r.sendCommand(["NOSUCHCOMMAND"]), /unknown command/);
        await third.close();
    },

    async pipeline() {
        const all = Array.from({ length: 2000 }, (_, i) => i);
        const answers = await Promise.all(
            all.flatMap((i) => [r.incr(key("pipeline")), r.set(key(`scan:${i}`), i.toString())]));
        answers.forEach((answer, i) => assert.equal(answer, i % 2 ? "OK" : i / 2 + 1));
        const pipeline = r.multi();
        all.forEach(() => pipeline.incr(key("piped")));
        assert.deepEqual(await pipeline.execAsPipeline(), all.map((i) => i + 1));
        assert.equal(await r.wait(2, 10000), 2);
        const found = new Set();
        for await (const some of r.scanIterator({ MATCH: key("scan:*"), COUNT: 500 }))
            some.forEach((k) => found.add(k));
        assert.equal(found.size, 2000);
    },

    async transaction() {
        assert.deepEqual(await r.multi().set(key("t"), "1").incr(key("t")).exec(), ["OK", 2]);
        const other = await connect();
        await r.watch(key("t"));
        await other.set(key("t"), "other's");
        await assert.rejects(r.multi().set(key("t"), "mine").exec(), WatchError);
        assert.deepEqual(await r.multi().get(key("t")).exec(), ["other's"]);
        await other.close();
    },

    async "pub/sub"() {
        for (const RESP of [2, 3]) {
            const listener = await connect({ RESP });
            const heard = new Heard();
            await listener.subscribe([key("news"), key("more")], heard.add);
            await listener.pSubscribe(key("s*"), heard.add);
            await r.publish(key("news"), "hello");
            assert.deepEqual(await heard.next(), ["hello", key("news")]);
            await r.publish(key("sport"), "goal");
            assert.deepEqual(await heard.next(), ["goal", key("sport")]);
            if (RESP === 3) assert.ok((await listener.incr(key("beside"))) > 0);
            await listener.unsubscribe([key("news"), key("more")]);
            await listener.pUnsubscribe(key("s*"));
            assert.equal(String(await listener.ping()), "PONG");
            await listener.close();
        }
    },

    async blocking() {
        assert.equal(await r.blPop(key("queue"), 0.05), null);
        const other = await connect();
        const item = other.blMove(key("queue"), key("done"), "LEFT", "RIGHT", 20);
        await r.rPush(key("queue"), "item");
        assert.equal(await item, "item");
        const entry = other.xRead({ key: key("stream"), id: "0" }, { BLOCK: 20000 });
        await r.xAdd(key("stream"), "1-1", { a: "1" });
        assert.deepEqual({ ...(await entry) }, { [key("stream")]: [["1-1", ["a", "1"]]] });
        await other.close();
    },

    async script() {
        const sha = await r.scriptLoad("return 2 * ARGV[1]");
        assert.equal(await r.evalSha(sha, { arguments: ["21"] }), 42);
        assert.deepEqual(
            await r.eval("return {KEYS[1], ARGV[1]}", { keys: ["k"], arguments: ["a"] }), ["k", "a"]);
        await assert.rejects(r.evalSha("0".repeat(40)), /^Error: NOSCRIPT/);
    },

    async RESP3() {
        const typed = r.withTypeMapping({ [RESP_TYPES.MAP]: Map, [RESP_TYPES.SET]: Set });
        await r.hSet(key("hash"), { a: "1", b: "2" });
        await r.sAdd(key("set"), ["a", "b"]);
        await r.zAdd(key("zset"), { score: 1.5, value: "a" });
        assert.equal(await r.wait(2, 10000), 2);
        assert.deepEqual(await typed.hGetAll(key("hash")), new Map([["a", "1"], ["b", "2"]]));
        assert.deepEqual(await typed.sMembers(key("set")), new Set(["a", "b"]));
        assert.deepEqual(await r.zRangeWithScores(key("zset"), 0, -1), [{ score: 1.5, value: "a" }]);
        assert.equal(await r.eval("redis.setresp(3); return redis.call('GET', 'nothing')"), null);
        const resp2 = await connect({ RESP: 2 });
        assert.deepEqual(await resp2.sendCommand(["HGETALL", key("hash")]), ["a", "1", "b", "2"]);
        await resp2.close();
    },
};

/* Counts until the test says on a blocked connection that the master has changed. */
async function switchover() {
    const k = key("counter");
    const count = new Count();
    const [blocked, listener, second] =
        await Promise.all([connect(), connect(), connect({ RESP: 2 })]);
    const ids = () => Promise.all([r.clientId(), blocked.clientId(), listener.clientId()]);
    const before = await ids();
    const sha = await r.scriptLoad(`return redis.call("INCR", KEYS[1]) -- ${key("script")}`);
    const script = () => r.evalSha(sha, { keys: [k] });

    async function round() {
        count.expect(await r.incr(k));
        count.expect(await script());
        count.expect(...(await Promise.all([r.incr(k), r.incr(k), script()])));
        count.expect(...(await r.multi().incr(k).incr(k).exec()));
        const fresh = await connect();
        count.expect(await fresh.incr(k));
        await fresh.close();
    }

    const heard = [new Heard(), new Heard()];
    await listener.subscribe(key("news"), heard[0].add);
    await second.subscribe(key("news"), heard[1].add);
    let said;
    blocked.blPop(key("go"), 0).then((item) => (said = item));
    await round();
    console.log("ready for switchover");
    while (!said) await round();
    assert.deepEqual({ ...said }, { key: key("go"), element: "switched" });
    await round();
    await r.publish(key("news"), "still here");
    for (const h of heard) assert.deepEqual(await h.next(), ["still here", key("news")]);
    assert.deepEqual(await ids(), before);
    return count;
}

run(steps, switchover);
