/*
 * deploy.test: the chart and the kustomizations of deploy/, made by the real helm and kubectl, and judged: by their own schema,
 * by those of Kubernetes, by what Pod Security "restricted" asks for, and by the proxy, which checks every configuration that
 * comes out and is started with one. See run.sh.
 */
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { root, build, chart, yaml, helm, template, parse, files, everything } = require('./render');
const pods = require('./pods');
const types = require('./types');
const tree = require('./tree');
const { made, rendered, golden } = require('./files');

const all = everything();
const proxyPods = all.flatMap(({ name, objects }) =>
  pods.podsOf(objects).filter((pod) => pods.proxyOf(pod)).map((pod) => ({ name, pod, objects })));
const of = (name) => all.find((each) => each.name === name);
const kinds = (objects, kind) => objects.filter((each) => each.kind === kind);
const none = (complaints) => assert.deepStrictEqual(complaints, []);
const copy = (object) => JSON.parse(JSON.stringify(object));

test('something was rendered', () => {
  assert.strictEqual(all.filter(({ name }) => name.startsWith('chart-')).length, 9);
  assert.deepStrictEqual(all.filter(({ name }) => name.startsWith('kustomize-')).map(({ name }) => name),
    ['kustomize-base', 'kustomize-dualstack', 'kustomize-service', 'kustomize-sidecar']);
  assert.ok(proxyPods.length > all.length);
});

test('helm lint --strict', () => {
  const presets = [...files(path.join(chart, 'presets')), ...files(path.join(__dirname, 'values'))];
  for (const file of presets)
    helm('lint', '--strict', '--quiet', chart, '--values', file);
});

test('what is kept is what is made: README, alerts, golden/ ("make deploy-files")', () => {
  const expected = new Map([...made(), ...rendered()]);
  for (const [file, text] of expected)
    assert.strictEqual(fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '', text, path.relative(root, file));
  for (const name of fs.readdirSync(golden))
    assert.ok(expected.has(path.join(golden, name)), `${name} belongs to nothing any more`);
});

test('the version of the chart is the program\'s', () => {
  const { appVersion, version } = yaml.parse(fs.readFileSync(path.join(chart, 'Chart.yaml'), 'utf8'));
  const program = execFileSync(tree.binary, ['--version'], { encoding: 'utf8' });
  assert.match(program, new RegExp(`\\b${appVersion.replaceAll('.', '\\.')}\\b`));
  assert.match(version, /^\d+\.\d+\.\d+$/);
  for (const { name, objects } of all.filter((each) => /kustomize-|least/.test(each.name)))
    for (const pod of pods.podsOf(objects))
      assert.strictEqual(pods.proxyOf(pod).image, `redisproxy:${appVersion}`, name);
});

/* ---- values ---- */

test('every value is in the schema, and the other way round', () => {
  const schema = JSON.parse(fs.readFileSync(path.join(chart, 'values.schema.json'), 'utf8'));
  const values = yaml.parse(fs.readFileSync(path.join(chart, 'values.yaml'), 'utf8'));
  const compare = (part, value, at) => {
    const known = Object.keys(part.properties).filter((name) => at || name !== 'global');
    assert.deepStrictEqual(Object.keys(value).sort(), known.sort(), at || 'values.yaml');
    for (const name of known) {
      assert.ok(part.properties[name].description, `${at}${name} has no description`);
      if (part.properties[name].additionalProperties === false)
        compare(part.properties[name], value[name], `${at}${name}.`);
    }
  };
  compare(schema, values, '');
});

const refused = [
  ['no Sentinel', [], /master\.sentinels: at least one Sentinel/],
  ['a value that does not exist', ['--set', 'replicas=3'], /replicas/],
  ['one that is misspelt further down', ['--set', 'service.Port=6379'], /Port/],
  ['a setting that the chart makes', ['--set', 'settings.proxy.http=off'], /settings\/proxy\/http/],
  ['a mode of TLS that does not exist', ['--set', 'tls.backend.nodes=on'], /tls\/backend\/nodes/],
  ['TLS for clients without a certificate', ['--set', 'tls.clients.enabled=true'], /tls\.clients\.existingSecret/],
  ['users from certificates, without their passwords', ['--set', 'tls.clients.userFrom=cn'], /clientUsers/],
  ['no time to end', ['--set', 'drain.marginSeconds=0'], /marginSeconds/],
];
for (const [what, args, words] of refused) {
  test(`refused: ${what}`, () => {
    const sentinels = args.length ? ['--set', 'master.sentinels={a:26379}'] : [];
    assert.throws(() => template(...sentinels, ...args), words);
  });
}

test('large numbers and YAML\'s yes arrive as they were meant', () => {
  const conf = kinds(of('values-everything').objects, 'ConfigMap').find((each) => each.data['proxy.conf']).data['proxy.conf'];
  assert.match(conf, /^max_clients = 1000000$/m);
  assert.match(conf, /^demote = yes$/m);
  assert.match(conf, /^multiplexing = no$/m);
});

/* ---- what Kubernetes says ---- */

test('Kubernetes\' schemas', async () => {
  for (const { objects } of all)
    for (const object of objects)
      none(await types.invalid(object));
  const two = copy(kinds(of('kustomize-base').objects, 'Deployment')[0]);
  two.spec.replicas = 'two';
  assert.strictEqual((await types.invalid(two)).length, 1, 'a wrong value would be noticed');
});

test('no field that Kubernetes does not know, and one would be noticed', () => {
  const misspelt = copy(kinds(of('kustomize-base').objects, 'Deployment'));
  misspelt[0].spec.template.spec.containers[0].readinesProbe = {};
  const complaints = types.unknown([...all, { name: 'misspelt', objects: misspelt }]);
  none(complaints.filter((line) => !line.startsWith('misspelt.ts')));
  assert.match(complaints.join(), /readinesProbe.* does not exist/);
});

test('no right in the cluster, nothing but what belongs to a proxy', () => {
  const expected = ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'Pod', 'PodDisruptionBudget',
    'PodMonitor', 'PrometheusRule', 'Service', 'ServiceAccount', 'ServiceMonitor'];
  for (const { name, objects } of all)
    for (const object of objects)
      assert.ok(expected.includes(object.kind), `${name}: ${object.kind}`);
});

/* ---- pods ---- */

test('Pod Security "restricted"', () => {
  none(all.flatMap(({ objects }) => pods.podsOf(objects).flatMap(pods.restricted)));
});

test('read-only, no capability, RuntimeDefault, no token, no init container', () => {
  none(proxyPods.flatMap(({ pod }) => pods.hardened(pod)));
});

const loosened = [
  ['hostNetwork', (spec) => { spec.hostNetwork = true; }],
  ['a path of the host', (spec) => { spec.volumes.push({ name: 'h', hostPath: { path: '/' } }); }],
  ['root', (spec) => { spec.securityContext.runAsUser = 0; }],
  ['perhaps root', (spec) => { delete spec.securityContext.runAsNonRoot; }],
  ['no seccomp', (spec) => { delete spec.securityContext.seccompProfile; }],
  ['privileged', (spec) => { spec.containers[0].securityContext.privileged = true; }],
  ['escalation', (spec) => { delete spec.containers[0].securityContext.allowPrivilegeEscalation; }],
  ['capabilities', (spec) => { spec.containers[0].securityContext.capabilities.drop = ['NET_RAW']; }],
  ['one more capability', (spec) => { spec.containers[0].securityContext.capabilities.add = ['SYS_ADMIN']; }],
  ['a port of the host', (spec) => { spec.containers[0].ports[0].hostPort = 6379; }],
  ['a careless sidecar', (spec) => { spec.initContainers = [{ name: 'x', image: 'x', restartPolicy: 'Always' }]; }],
];
for (const [what, loosen] of loosened) {
  test(`"restricted" notices: ${what}`, () => {
    const deployment = copy(kinds(of('kustomize-base').objects, 'Deployment')[0]);
    none(pods.restricted(pods.podsOf([deployment])[0]));
    loosen(deployment.spec.template.spec);
    assert.notDeepStrictEqual(pods.restricted(pods.podsOf([deployment])[0]), []);
  });
}

test('Secrets are readable for the proxy\'s group, and for nobody else', () => {
  for (const { name, pod } of proxyPods)
    for (const { secret } of pod.spec.volumes.filter((each) => each.secret))
      assert.strictEqual(secret.defaultMode, 0o440, name);
});

const confOf = (pod, objects) => {
  const names = pod.spec.volumes.filter((each) => each.configMap).map((each) => each.configMap.name);
  const map = kinds(objects, 'ConfigMap').find((each) => names.includes(each.metadata.name) && each.data['proxy.conf']);
  return map && map.data['proxy.conf'];
};

/* The pods that serve; helm's test pod does not. */
const serving = proxyPods.filter(({ pod }) => pods.proxyOf(pod).name === 'redisproxy');

test('preStop drains, a sidecar has none, and the grace period fits drain_delay + drain_timeout', () => {
  none(serving.flatMap(({ name, pod, objects }) =>
    (confOf(pod, objects) ? pods.termination(pod, confOf(pod, objects)) : []).map((each) => `${name}: ${each}`)));
});

test('... and it would be noticed', () => {
  const { pod, objects } = serving.find(({ name }) => name === 'kustomize-service');
  const conf = confOf(pod, objects);
  assert.strictEqual(pods.termination(pod, conf.replace('drain_timeout = 20s', 'drain_timeout = 25s')).length, 1);
  assert.strictEqual(pods.termination(pod, conf.replace(/^admin = .*/m, 'admin = /run/other.sock')).length, 2);
});

test('probes: readiness asks /readyz, startup and liveness /healthz, at the port that the configuration names', () => {
  for (const { name, pod, objects } of serving) {
    const proxy = pods.proxyOf(pod);
    const port = proxy.ports.find((each) => each.name === 'probe').containerPort;
    const conf = confOf(pod, objects);
    for (const [probe, at] of [['startupProbe', '/healthz'], ['livenessProbe', '/healthz'], ['readinessProbe', '/readyz']]) {
      assert.strictEqual(proxy[probe].httpGet.path, at, name);
      assert.strictEqual(proxy[probe].httpGet.port, 'probe', name);
      if (conf)
        assert.strictEqual(proxy[probe].httpGet.scheme === 'HTTPS', /^http_tls_cert = /m.test(conf), name);
    }
    if (conf)
      assert.match(pods.section(conf, 'proxy').http, new RegExp(`:${port}$`), name);
  }
});

test('ports: each of the pod is listened on, each of a Service, monitor or policy leads to one', () => {
  for (const { name, pod, objects } of serving) {
    const ports = pods.proxyOf(pod).ports;
    const conf = confOf(pod, objects);
    for (const port of conf ? ports : [])
      assert.match(conf, port.name === 'probe' ? /^http = /m : new RegExp(`^\\[listen .*:${port.containerPort}\\]$`, 'm'), name);
    const names = ports.map((each) => each.name);
    const selects = (selector) => Object.entries(selector).every(([key, value]) => pod.labels[key] === value);
    for (const service of kinds(objects, 'Service')) {
      assert.ok(selects(service.spec.selector), `${name}: the Service selects other pods`);
      for (const port of service.spec.ports)
        assert.ok(names.includes(port.targetPort), `${name}: ${port.targetPort}`);
    }
    for (const monitor of kinds(objects, 'ServiceMonitor')) {
      const service = kinds(objects, 'Service')[0];
      assert.ok(Object.entries(monitor.spec.selector.matchLabels).every(([key, value]) => service.metadata.labels[key] === value));
      assert.ok(service.spec.ports.some((each) => each.name === monitor.spec.endpoints[0].port), name);
    }
    for (const monitor of kinds(objects, 'PodMonitor'))
      assert.ok(selects(monitor.spec.selector.matchLabels) && names.includes(monitor.spec.podMetricsEndpoints[0].port), name);
    for (const policy of kinds(objects, 'NetworkPolicy').filter((each) => selects(each.spec.podSelector.matchLabels)))
      for (const port of policy.spec.ingress.flatMap((each) => each.ports))
        assert.ok(typeof port.port === 'number' || names.includes(port.port), `${name}: ${port.port}`);
    for (const budget of kinds(objects, 'PodDisruptionBudget'))
      assert.ok(selects(budget.spec.selector.matchLabels), name);
    const target = kinds(objects, 'HorizontalPodAutoscaler').map((each) => each.spec.scaleTargetRef.name);
    for (const deployment of target.length ? kinds(objects, 'Deployment') : []) {
      assert.strictEqual(deployment.metadata.name, target[0], name);
      assert.strictEqual(deployment.spec.replicas, undefined, `${name}: replicas beside an autoscaler`);
    }
  }
});

test('the drop-in has the ports and names of redis-ha\'s HAProxy', () => {
  for (const name of ['chart-redis-ha', 'kustomize-service']) {
    const ports = kinds(of(name).objects, 'Service')[0].spec.ports;
    assert.deepStrictEqual(ports.map(({ name, port, targetPort }) => [name, port, targetPort]),
      [['tcp-haproxy', 6379, 'redis'], ['tcp-haproxyreadonly', 6380, 'readonlyport'], ['http-exporter-port', 9101, 'probe']]);
  }
});

test('the sidecar serves Redis on the loopback only', () => {
  const { pod, objects } = serving.find(({ name }) => name === 'kustomize-sidecar');
  assert.deepStrictEqual(confOf(pod, objects).match(/^\[listen .*/gm), ['[listen 127.0.0.1:6379]', '[listen 127.0.0.1:6380]']);
  assert.deepStrictEqual(pods.proxyOf(pod).ports.map((each) => each.name), ['probe']);
});

test('the scenario "kubernetes" plays with the sidecar\'s settings', () => {
  const { pod, objects } = serving.find(({ name }) => name === 'kustomize-sidecar');
  const scenario = fs.readFileSync(path.join(root, 'tests/system/scenario/kubernetes.c'), 'utf8');
  for (const part of ['proxy', 'master'])
    for (const [key, value] of Object.entries(pods.section(confOf(pod, objects), part)))
      if (!['http', 'admin', 'sentinels'].includes(key))
        assert.ok(scenario.includes(`${key} = ${value}\\n`), `${key} = ${value}`);
});

/* ---- selectors ---- */

const selectors = (objects) => Object.fromEntries(kinds(objects, 'Deployment')
  .map((each) => [each.metadata.name, each.spec.selector.matchLabels]));

test('selectors are what they have always been', () => {
  const kept = JSON.parse(fs.readFileSync(path.join(__dirname, 'selectors.json'), 'utf8'));
  const now = Object.fromEntries(all.map(({ name, objects }) => [name, selectors(objects)]));
  for (const [name, of] of Object.entries(kept))
    assert.deepStrictEqual(now[name], of, `${name}: its Deployments could not be upgraded`);
  assert.deepStrictEqual(Object.keys(now).sort(), Object.keys(kept).sort(), 'selectors.json: add what is new');
});

test('neither another version nor a value changes the selector', () => {
  const other = path.join(build, 'other');
  fs.rmSync(other, { recursive: true, force: true });
  fs.cpSync(chart, other, { recursive: true });
  const file = path.join(other, 'Chart.yaml');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/^version: .*/m, 'version: 7.8.9')
    .replace(/^appVersion: .*/m, 'appVersion: "7.8.9"'));
  const args = ['redisproxy', '--namespace', 'redis', '--set', 'master.sentinels={a:26379}'];
  const before = selectors(parse(helm('template', args[0], chart, ...args.slice(1))));
  assert.deepStrictEqual(Object.keys(before), ['redisproxy']);
  for (const more of [[], ['--set', 'commonLabels.a=b,podLabels.c=d'], ['--set', 'image.tag=x,replicaCount=5'], ['--is-upgrade']])
    assert.deepStrictEqual(selectors(parse(helm('template', args[0], other, ...args.slice(1), ...more))), before);
});

test('no label of the user\'s takes the place of one that selects', () => {
  const { pod } = serving.find(({ name }) => name === 'values-everything');
  assert.strictEqual(pod.labels['app.kubernetes.io/name'], 'redisproxy');
  assert.deepStrictEqual([pod.labels.app, pod.labels.release], ['redis-ha-haproxy', 'redis']);
});

/* ---- what the proxy says ---- */

test('the proxy takes each configuration, with the files that the pod would have', () => {
  process.env.OTHER = 'word';
  const checked = [];
  for (const { name, pod, objects } of serving) {
    if (!confOf(pod, objects))
      continue;
    none(tree.check(tree.write(name, pod, objects)).map((each) => `${name}: ${each}`));
    checked.push(name);
  }
  assert.strictEqual(checked.length, all.length - 1, 'all but platform-numbers, which has a ConfigMap of its own');
});

test('... and would say what is wrong', () => {
  const { name, pod, objects } = serving.find((each) => each.name === 'kustomize-service');
  const there = tree.write(name + '-wrong', pod, objects);
  fs.rmSync(path.join(there.folder, '/etc/redisproxy-auth/redis/password'));
  assert.match(tree.check(there).join(), /password_file/);
});

test('helm\'s test pod has the same configuration and files', () => {
  for (const { name, pod, objects } of proxyPods.filter((each) => pods.proxyOf(each.pod).name === 'doctor')) {
    const own = serving.find((each) => each.name === name).pod;
    const mounts = (of) => pods.proxyOf(of).volumeMounts.filter((each) => each.readOnly);
    assert.deepStrictEqual(mounts(pod), mounts(own), name);
    assert.deepStrictEqual(pods.proxyOf(pod).args, ['doctor', '-c', '/etc/redisproxy/proxy.conf']);
    assert.notStrictEqual(pod.labels['app.kubernetes.io/name'], own.labels['app.kubernetes.io/name'], 'the Service must not select it');
    assert.ok(objects);
  }
});
