/*
 * life.test: a pod's life, with the probes, the hook and the configuration that were rendered, as the kubelet plays them: the startup
 * probe, then liveness and readiness; at the end preStop, SIGTERM as soon as that has returned, and the wait for the end, no longer than
 * terminationGracePeriodSeconds. The proxy runs on a loopback address; no Sentinel is there, which liveness must not mind.
 */
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const pods = require('./pods');
const tree = require('./tree');
const { one } = require('./render');

const HOST = '127.77.0.1';

/* The status of a probe; 0: it was not answered. */
function probe(pod, which) {
  const proxy = pods.proxyOf(pod);
  const { path: at, port } = proxy[which].httpGet;
  return new Promise((answered) => {
    const request = http.get({ host: HOST, path: at, timeout: proxy[which].timeoutSeconds * 1000,
      port: proxy.ports.find((each) => each.name === port).containerPort }, (response) => {
      response.resume();
      response.on('end', () => answered(response.statusCode));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => answered(0));
  });
}

async function begin(t, name) {
  const { objects } = one(name);
  const pod = pods.podsOf(objects).find((each) => (pods.proxyOf(each) || {}).name === 'redisproxy');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pod-'));
  const there = tree.write(name, pod, objects, folder);
  const file = there.conf + '.moved';
  fs.writeFileSync(file, tree.moved(there, there.text).replace(/0\.0\.0\.0:|127\.0\.0\.1:/g, HOST + ':')
    .replace(/^sentinels = .*/m, `sentinels = ${HOST}:1`));
  const process = spawn(tree.binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const life = { pod, there, process, log: '', ended: once(process, 'exit') };
  process.stderr.on('data', (data) => { life.log += data; });
  t.after(() => {
    process.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const { periodSeconds, failureThreshold } = pods.proxyOf(pod).startupProbe;
  for (let tries = 0; await probe(pod, 'startupProbe') !== 200; tries++) {
    assert.ok(tries < failureThreshold && process.exitCode === null, `it does not start: ${life.log}`);
    await sleep(periodSeconds * 100);
  }
  assert.strictEqual(await probe(pod, 'livenessProbe'), 200, life.log);
  assert.ok([200, 503].includes(await probe(pod, 'readinessProbe')));
  return life;
}


async function end(life) {
  const [code, signal] = await Promise.race([life.ended,
    sleep(life.pod.spec.terminationGracePeriodSeconds * 1000, ['still there'], { ref: false })]);
  assert.deepStrictEqual([code, signal], [0, null], life.log);
  assert.match(life.log, /msg=drained|msg="drained"/);
}

for (const name of ['kustomize-service', 'chart-redis-ha']) {
  test(`the life of a pod: ${name}`, { timeout: 60000 }, async (t) => {
    const life = await begin(t, name);
    const command = pods.proxyOf(life.pod).lifecycle.preStop.exec.command;
    const client = net.connect(6379, HOST);
    client.on('error', () => {});
    await once(client, 'connect');

    const begun = Date.now();
    const hook = spawnSync(tree.binary, command.slice(1).map((word) => tree.moved(life.there, word)), { encoding: 'utf8' });
    assert.strictEqual(hook.status, 0, hook.stdout + hook.stderr);
    life.process.kill('SIGTERM');
    await sleep(300);
    assert.strictEqual(await probe(life.pod, 'readinessProbe'), 503, 'endpoints have to learn that it goes');
    assert.strictEqual(await probe(life.pod, 'livenessProbe'), 200, 'and the kubelet not to restart it');
    const late = net.connect(6379, HOST);
    late.on('error', () => {});
    await once(late, 'connect');
    late.destroy();
    await end(life);
    const { drain_delay: delay } = pods.section(life.there.text, 'proxy');
    assert.ok(Date.now() - begun >= parseInt(delay) * 1000, 'it served on until everybody knew');
    client.destroy();
  });
}

test('the life of a sidecar: it ends when the application has ended', { timeout: 60000 }, async (t) => {
  const life = await begin(t, 'kustomize-sidecar');
  const begun = Date.now();
  life.process.kill('SIGTERM');
  await end(life);
  assert.ok(Date.now() - begun < 2000, 'what the pod waits for it');
});
