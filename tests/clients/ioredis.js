"use strict";
/*
 * ioredis (npm) through the proxy, with auto-pipelining and without. It reads RESP2 only.
 */
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { host, port, tls, key, Count, Heard, run } = require("./steps");

/* Nothing repairs a connection: a lost one is an error that nobody catches. */
function connect(options) {
    return new Redis({ host, port, tls, retryStrategy: null, ...options });
}

const r = connect({ connectionName: "ioredis" });

const steps = {
    async connect() {
        assert.equal(await r.ping(), "PONG");
        assert.equal(await r.client("GETNAME"), "ioredis");
        const third = connect({ db: 3 });
        const value = Buffer.from([0, 13, 10, 36, 255]);
        assert.equal(await third.set(key("binary"), value), "OK");
        assert.equal(await third.wait(2, 10000), 2); // "split" reads from the replicas
        assert.deepEqual(await third.getBuffer(key("binary")), value);
        assert.equal(await r.get(key("binary")), null);
        await assert.rejects(r.call("NOSUCHCOMMAND"), /unknown command/);
        assert.equal(await third.quit(), "OK");
    },

    async pipeline() {
        const pipeline = r.pipeline();
        for (let i = 0; i < 2000; i++) pipeline.incr(key("pipeline")).set(key(`scan:${i}`), i);
        const answers = await pipeline.exec();
        answers.forEach(([error, answer], i) => {
            assert.equal(error, null);
            assert.equal(answer, i % 2 ? "OK" : i / 2 + 1);
        });
        const auto = connect({ enableAutoPipelining: true });
        const added = await Promise.all(Array.from({ length: 500 }, () => auto.incr(key("auto"))));
        assert.deepEqual(added, Array.from({ length: 500 }, (_, i) => i + 1));
        auto.disconnect();
        assert.equal(await r.wait(2, 10000), 2);
        const found = new Set();
        for await (const some of r.scanStream({ match: key("scan:*"), count: 500 }))
            some.forEach((k) => found.add(k));
        assert.equal(found.size, 2000);
    },

    async transaction() {
        const answers = await r.multi().set(key("t"), 1).incr(key("t")).lpop(key("t")).exec();
        assert.deepEqual(answers.slice(0, 2), [[null, "OK"], [null, 2]]);
        assert.match(answers[2][0].message, /^WRONGTYPE/);
        const other = connect();
        await r.watch(key("t"));
        await other.set(key("t"), "other's");
        assert.equal(await r.multi().set(key("t"), "mine").exec(), null);
        assert.deepEqual(await r.multi().get(key("t")).exec(), [[null, "other's"]]);
        await r.multi({ pipeline: false });
        assert.equal(await r.set(key("t"), "never"), "QUEUED");
        assert.equal(await r.discard(), "OK");
        assert.deepEqual(await r.multi().get(key("t")).exec(), [[null, "other's"]]);
        other.disconnect();
    },

    async "pub/sub"() {
        const listener = connect();
        const heard = new Heard();
        listener.on("message", heard.add);
        listener.on("pmessage", heard.add);
        assert.equal(await listener.subscribe(key("news"), key("more")), 2);
        assert.equal(await listener.psubscribe(key("s*")), 3);
        assert.ok((await r.publish(key("news"), "hello")) >= 0);
        assert.deepEqual(await heard.next(), [key("news"), "hello"]);
        assert.ok((await r.publish(key("sport"), "goal")) >= 0);
        assert.deepEqual(await heard.next(), [key("s*"), key("sport"), "goal"]);
        await listener.unsubscribe(key("news"), key("more"));
        assert.equal(await listener.punsubscribe(), 0);
        assert.equal(await listener.ping(), "PONG");
        listener.disconnect();
    },

    async blocking() {
        assert.equal(await r.blpop(key("queue"), 0.05), null);
        const other = connect();
        const item = other.blmove(key("queue"), key("done"), "LEFT", "RIGHT", 20);
        await r.rpush(key("queue"), "item");
        assert.equal(await item, "item");
        const entry = other.xread("BLOCK", 20000, "STREAMS", key("stream"), "0");
        await r.xadd(key("stream"), "1-1", "a", "1");
        assert.deepEqual(await entry, [[key("stream"), [["1-1", ["a", "1"]]]]]);
        other.disconnect();
    },

    async script() {
        r.defineCommand("double", { numberOfKeys: 0, lua: "return 2 * ARGV[1]" });
        assert.equal(await r.double(21), 42);
        assert.deepEqual(await r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "a"), ["k", "a"]);
        await assert.rejects(r.evalsha("0".repeat(40), 0), /^ReplyError: NOSCRIPT/);
    },

    async RESP2() {
        assert.ok((await r.hello(2)).includes("proto"));
    },
};

/* Counts until the test says on a blocked connection that the master has changed. */
async function switchover() {
    const k = key("counter");
    const count = new Count();
    const [blocked, listener, heard] = [connect(), connect(), new Heard()];
    const id = await Promise.all([r.client("ID"), blocked.client("ID"), listener.client("ID")]);
    const sha = await r.script("LOAD", `return redis.call("INCR", KEYS[1]) -- ${key("script")}`);
    const answers = (exec) => exec.map(([error, answer]) => error ?? answer);

    async function round() {
        count.expect(await r.incr(k));
        count.expect(await r.evalsha(sha, 1, k));
        count.expect(...(await Promise.all([r.incr(k), r.incr(k), r.evalsha(sha, 1, k)])));
        count.expect(...answers(await r.pipeline().incr(k).incr(k).incr(k).exec()));
        count.expect(...answers(await r.multi().incr(k).incr(k).exec()));
        const fresh = connect();
        count.expect(await fresh.incr(k));
        fresh.disconnect();
    }

    listener.on("message", heard.add);
    await listener.subscribe(key("news"));
    let said;
    blocked.blpop(key("go"), 0).then((item) => (said = item));
    await round();
    console.log("ready for switchover");
    while (!said) await round();
    assert.deepEqual(said, [key("go"), "switched"]);
    await round();
    await r.publish(key("news"), "still here");
    assert.deepEqual(await heard.next(), [key("news"), "still here"]);
    await listener.unsubscribe();
    assert.deepEqual(
        await Promise.all([r.client("ID"), blocked.client("ID"), listener.client("ID")]), id);
    return count;
}

run(steps, switchover);
