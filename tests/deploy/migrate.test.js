/*
 * migrate.test: the way of docs/migrate.md, from HAProxy to redisproxy and back, with real Redis, Sentinel and HAProxy on the
 * loopback. The Service is a small balancer: a new connection goes to one of its endpoints, and those that stand stay where they
 * are. Writers count what was acknowledged; in the end it is all there, once and in order, and no request had an error.
 */
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const pods = require('./pods');
const tree = require('./tree');
const { one } = require('./render');

const NODES = [1, 2, 3].map((n) => `127.77.1.${n}`);
const HAPROXY = '127.77.1.10', PROXY = '127.77.1.20', SERVICE = '127.77.1.30';
const WRITERS = 8;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'migrate-'));
const running = [];

function start(program, args, name) {
  const log = fs.openSync(path.join(folder, `${name}.log`), 'a');
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', log, log] });
  child.ended = once(child, 'exit');
  running.push(child);
  return child;
}

function write(name, lines) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, lines.join('\n') + '\n');
  return file;
}

function cli(host, port, ...words) {
  return spawnSync('redis-cli', ['-h', host, '-p', String(port), ...words], { encoding: 'utf8' }).stdout.trim();
}

async function until(what, holds, ms = 20000) {
  for (const end = Date.now() + ms; !await holds();) {
    assert.ok(Date.now() < end, `in vain: ${typeof what === 'function' ? what() : what}`);
    await sleep(50);
  }
}

async function startTrio() {
  for (const [at, host] of NODES.entries()) {
    fs.mkdirSync(path.join(folder, host));
    start('redis-server', ['--bind', host, '--port', '6379', '--dir', path.join(folder, host), '--save', '', '--protected-mode', 'no',
      '--repl-diskless-sync-delay', '0', '--replica-announce-ip', host, '--min-replicas-to-write', '1', '--min-replicas-max-lag', '5',
      ...(at ? ['--replicaof', NODES[0], '6379'] : [])], host);
  }
  await until('replicas', () => NODES.slice(1).every((host) => /master_link_status:up/.test(cli(host, 6379, 'INFO', 'replication'))));
  for (const host of NODES) {
    const file = write(`${host}/sentinel.conf`, [`bind ${host}`, 'port 26379', 'protected-mode no', `sentinel announce-ip ${host}`,
      `sentinel monitor mymaster ${NODES[0]} 6379 2`, 'sentinel down-after-milliseconds mymaster 10000']);
    start('redis-sentinel', [file], host);
  }
  await until('Sentinels that know each other', () => NODES.every((host) =>
    /OK 3 usable/.test(cli(host, 26379, 'SENTINEL', 'CKQUORUM', 'mymaster')) && cli(host, 26379, 'INFO').includes('slaves=2')));
}

/* What redis-ha asks of a server: PING, and role:master. */
function startHaproxy() {
  const file = write('haproxy.cfg', ['global', '  maxconn 1000', 'defaults', '  mode tcp', '  timeout connect 4s', '  timeout client 330s',
    '  timeout server 330s', '  timeout check 2s', 'frontend redis', `  bind ${HAPROXY}:6379`, '  default_backend master',
    'backend master', '  option tcp-check', '  tcp-check connect', '  tcp-check send PING\\r\\n', '  tcp-check expect string +PONG',
    '  tcp-check send info\\ replication\\r\\n', '  tcp-check expect string role:master', '  tcp-check send QUIT\\r\\n',
    '  tcp-check expect string +OK', ...NODES.map((host, at) => `  server R${at} ${host}:6379 check inter 200ms fall 1 rise 1`)]);
  return start('haproxy', ['-f', file, '-db'], 'haproxy');
}

/* At its start it takes every server for good, until its checks have said otherwise. */
const sure = (host) => Array.from({ length: 12 }, () => cli(host, 6379, 'SET', 'try', '1')).every((answer) => answer === 'OK');

/* As the chart's preset configures it. */
function startProxy() {
  const { objects } = one('chart-redis-ha');
  const pod = pods.podsOf(objects).find((each) => pods.proxyOf(each).name === 'redisproxy');
  const there = tree.write('migrate', pod, objects, path.join(folder, 'pod'));
  fs.writeFileSync(there.conf + '.moved', tree.moved(there, there.text).replaceAll('0.0.0.0:', PROXY + ':')
    .replace(/^sentinels = .*/m, `sentinels = ${NODES.map((host) => host + ':26379').join(', ')}`)
    .replace(/^drain_delay = .*/m, 'drain_delay = 1s'));
  const child = start(tree.binary, ['-c', there.conf + '.moved'], 'redisproxy');
  const hook = pods.proxyOf(pod).lifecycle.preStop.exec.command.slice(1).map((word) => tree.moved(there, word));
  return { child, hook };
}

/* ---- the Service and its clients ---- */

const service = { endpoints: [], at: 0, open: new Map([[HAPROXY, 0], [PROXY, 0]]) };

function startService() {
  const server = net.createServer({ noDelay: true }, (client) => {
    const host = service.endpoints[service.at++ % service.endpoints.length];
    const pod = net.connect({ port: 6379, host, noDelay: true });
    service.open.set(host, service.open.get(host) + 1);
    pod.on('close', () => service.open.set(host, service.open.get(host) - 1));
    for (const [from, to] of [[client, pod], [pod, client]]) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(6379, SERVICE);
  return server;
}

/* Writes 1, 2, 3 ... to a list; `renew` has it connect anew, between two requests, as a client that is restarted does. */
class Writer {
  constructor(at) {
    Object.assign(this, { key: `log:${at}`, next: 0, acknowledged: [], errors: [], unknown: 0, renew: false, ends: false });
    this.done = this.run();
  }

  async run() {
    while (!this.ends) {
      const socket = net.connect({ port: 6379, host: SERVICE, noDelay: true });
      socket.on('error', () => {});
      let closed = false, answer = null;
      socket.on('close', () => { closed = true; if (answer) answer(null); });
      socket.on('data', (data) => answer && answer(data.toString()));
      while (!closed && !this.ends && !this.renew) {
        this.next++;
        const reply = await new Promise((told) => { answer = told; socket.write(`RPUSH ${this.key} ${this.next}\r\n`); });
        answer = null;
        if (reply === null)
          this.unknown++;
        else if (reply.startsWith(':'))
          this.acknowledged.push(this.next);
        else
          this.errors.push(reply);
        await sleep(1);
      }
      this.renew = false;
      socket.destroy();
      await sleep(5);
    }
  }
}

test('from HAProxy to redisproxy and back: no error, nothing lost', { timeout: 120000 }, async (t) => {
  t.after(async () => {
    for (const child of running)
      child.kill('SIGKILL');
    await Promise.all(running.map((child) => child.ended));
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await startTrio();
  let haproxy = startHaproxy();
  await until('HAProxy', () => sure(HAPROXY));
  service.endpoints = [HAPROXY];
  const server = startService();
  await once(server, 'listening');
  const writers = Array.from({ length: WRITERS }, (_, at) => new Writer(at));
  t.after(() => {
    server.close();
    for (const writer of writers)
      writer.ends = true;
  });
  const restart = async () => {
    for (const writer of writers) {
      writer.renew = true;
      await until('a restarted client', () => !writer.renew);
    }
  };
  const flow = async () => {
    const before = writers.map((writer) => writer.acknowledged.length);
    const state = () => JSON.stringify(writers.map(({ next, unknown, errors }) => [next, unknown, errors.slice(-1)]));
    await until(() => `writes of everybody ${state()}`, () => writers.every((writer, at) => writer.acknowledged.length > before[at] + 20));
  };
  await flow();

  /* 1 to 3: beside it, and both behind the Service */
  const { child: proxy, hook } = startProxy();
  await until('redisproxy', () => sure(PROXY));
  service.endpoints = [HAPROXY, PROXY];
  await restart();
  await flow();
  assert.ok(service.open.get(HAPROXY) && service.open.get(PROXY), 'both serve');

  /* 4: HAProxy goes when nobody uses it, by itself */
  service.endpoints = [PROXY];
  await restart();
  await until('no connection at HAProxy', () => service.open.get(HAPROXY) === 0);
  haproxy.kill('SIGUSR1');
  assert.deepStrictEqual(await Promise.race([haproxy.ended, sleep(20000, ['still there'], { ref: false })]), [0, null]);
  await flow();

  /* a planned switchover, which HAProxy's clients would have felt */
  const master = () => NODES.filter((host) => /role:master/.test(cli(host, 6379, 'INFO', 'replication')));
  const [old] = master();
  await until('the request', () => cli(NODES[1], 26379, 'SENTINEL', 'FAILOVER', 'mymaster') === 'OK');
  await until('another master', () => master().some((host) => host !== old));
  await flow();
  await until('one master', () => master().length === 1, 40000);
  const count = (what) => writers.reduce((sum, writer) => sum + (writer[what].length ?? writer[what]), 0);
  assert.deepStrictEqual([count('errors'), count('unknown')], [0, 0], JSON.stringify(writers.flatMap((each) => each.errors)));

  /* and back */
  haproxy = startHaproxy();
  await until('HAProxy again', () => sure(HAPROXY));
  service.endpoints = [HAPROXY];
  await restart();
  await until('no connection at redisproxy', () => service.open.get(PROXY) === 0);
  assert.strictEqual(spawnSync(tree.binary, hook).status, 0);
  proxy.kill('SIGTERM');
  assert.deepStrictEqual(await proxy.ended, [0, null]);
  await flow();

  for (const writer of writers)
    writer.ends = true;
  await Promise.all(writers.map((writer) => writer.done));
  assert.deepStrictEqual([count('errors'), count('unknown')], [0, 0]);
  const [now] = master();
  for (const writer of writers)
    assert.deepStrictEqual(cli(now, 6379, 'LRANGE', writer.key, '0', '-1').split('\n').map(Number), writer.acknowledged);
  t.diagnostic(`${count('acknowledged')} writes acknowledged, all there`);
});
