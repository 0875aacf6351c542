"use strict";
/*
 * BullMQ (npm) on ioredis: flows, whose parent runs when its children have; jobs in bulk, delayed and
 * with priorities; workers, and the stream of events that tells who waits for a job. Its scripts run
 * in transactions: FlowProducer.add() and addBulk() are each one MULTI of EVALSHAs.
 */
const assert = require("node:assert/strict");
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");
const { key, connect, fail, within, serve } = require("./service");

const CHILDREN = 3, BULK = 5, BESIDE = 4;
const options = () => ({ connection: connect(), prefix: key("bull") });
const ran = new Map();
let flows = 0, jobs = 0;

async function child(job) {
    ran.set(job.id, (ran.get(job.id) ?? 0) + 1);
    return job.data.n;
}

async function parent(job) {
    ran.set(job.id, (ran.get(job.id) ?? 0) + 1);
    return Object.values(await job.getChildrenValues()).sort((a, b) => a - b);
}

function loud(what, emitter) {
    emitter.on("error", (error) => fail(`${what}: ${error.message}`));
    return emitter;
}

const flow = loud("the FlowProducer", new FlowProducer(options()));
const queue = loud("the queue", new Queue("child", options()));
const parents = loud("the parents' queue", new Queue("parent", options()));
const events = ["child", "parent"].map((name) =>
    loud(`events of ${name}`, new QueueEvents(name, options())));
const workers = [["child", child], ["parent", parent]].map(([name, work]) =>
    loud(`the worker of ${name}`, new Worker(name, work, { ...options(), concurrency: 8 })));
for (const worker of workers) {
    worker.on("failed", (job, error) => fail(`job ${job?.id}: ${error.message}`));
    worker.on("stalled", (id) => fail(`job ${id} stalled`));
}

const values = [...Array(CHILDREN).keys()];

async function aFlow() {
    const children = values.map((n) => ({ name: "c", queueName: "child", data: { n } }));
    const tree = { name: "p", queueName: "parent", children };
    const { job } = await within("FlowProducer.add()", flow.add(tree));
    assert.deepEqual(await within("a flow", job.waitUntilFinished(events[1])), values);
    flows++;
}

async function aBulk() {
    const some = Array.from({ length: BULK }, (_, n) =>
        ({ name: "c", data: { n }, opts: [{}, { delay: 20 }, { priority: 2 }][n % 3] }));
    const added = await within("addBulk()", queue.addBulk(some));
    const all = Promise.all(added.map((job) => job.waitUntilFinished(events[0])));
    assert.deepEqual(await within("jobs in bulk", all), some.map((job) => job.data.n));
    jobs += BULK;
}

function round() {
    return Promise.all([...Array.from({ length: BESIDE }, aFlow), aBulk()]);
}

async function finish() {
    const twice = [...ran].filter(([, times]) => times !== 1);
    assert.equal(twice.length, 0, `${twice.length} jobs ran more than once`);
    assert.equal(ran.size, flows * (CHILDREN + 1) + jobs, "jobs that ran");
    for (const [what, q, n] of [["child", queue, flows * CHILDREN + jobs], ["parent", parents, flows]])
        assert.deepEqual(await q.getJobCounts("completed", "active", "waiting", "failed", "delayed",
                                              "prioritized", "waiting-children"),
            { completed: n, active: 0, waiting: 0, failed: 0, delayed: 0, prioritized: 0,
              "waiting-children": 0 }, `the queue ${what}`);
    return `${flows} flows, ${ran.size} jobs`;
}

serve(round, finish);
