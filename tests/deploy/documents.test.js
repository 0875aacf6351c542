/*
 * documents.test: what docs/migrate.md and the presets tell people to type. Every "helm upgrade" of this chart is rendered, every configuration is
 * checked by the proxy, and the labels of its third step are those by which redis-ha's Service selects.
 */
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const pods = require('./pods');
const { root, build, chart, files, helm, parse, template } = require('./render');
const { binary, write, check } = require('./tree');

const text = fs.readFileSync(path.join(root, 'docs/migrate.md'), 'utf8');
const lines = text.split('\n').map((line) => line.trim());
/* What only changes a release and says nothing to a template; the values of the release before are added instead. */
const ONLY_LIVE = ['--reuse-values', '--install', '--take-ownership', '--force-conflicts'];
const before = ['-f', 'deploy/helm/redisproxy/presets/redis-ha.yaml'];

function render(line) {
  const [, , ...words] = line.split(' ').filter(Boolean);
  const args = words.filter((word) => !ONLY_LIVE.includes(word));
  return parse(helm('template', ...args, ...(words.includes('--reuse-values') ? before : [])));
}

const commands = lines.filter((line) => /^helm upgrade .*deploy\/helm\/redisproxy/.test(line));

test('every helm command of docs/migrate.md renders', () => {
  process.chdir(root);
  assert.ok(commands.length >= 9, `only ${commands.length} commands were found`);
  for (const line of commands)
    assert.ok(render(line).some((each) => each.kind === 'Deployment'), line);
});

test('the flags that only a cluster sees are helm\'s', () => {
  const help = helm('upgrade', '--help');
  for (const flag of ONLY_LIVE)
    assert.ok(help.includes(flag), flag);
});

test('with podLabels, redis-ha\'s Service selects these pods as well', () => {
  process.chdir(root);
  /* charts/redis-ha/templates/redis-haproxy-service.yaml: the release, and the chart's name with -haproxy. */
  const selector = { release: 'redis', app: 'redis-ha-haproxy' };
  const line = commands.find((each) => each.includes('podLabels'));
  const [pod] = pods.podsOf(render(line).filter((each) => each.kind === 'Deployment'));
  for (const [key, value] of Object.entries(selector))
    assert.strictEqual(pod.labels[key], value);
  const names = pods.proxyOf(pod).ports.map((each) => each.name);
  assert.ok(names.includes('redis') && pods.proxyOf(pod).ports.some((each) => each.containerPort === 6380));
});

test('every configuration of docs/migrate.md is good', () => {
  const blocks = [...text.matchAll(/```ini\n([^`]*)```/g)].map((match) => match[1]);
  assert.strictEqual(blocks.length, 2);
  for (const block of blocks) {
    const file = path.join(build, 'migrate.conf');
    fs.writeFileSync(file, block);
    const done = spawnSync(binary, ['-t', '-c', file], { encoding: 'utf8', env: { ...process.env, AUTH: 'word' } });
    assert.strictEqual(done.status, 0, done.stdout + done.stderr);
  }
});

test('the names of the presets in the documents exist', () => {
  const presets = fs.readdirSync(path.join(root, 'deploy/helm/redisproxy/presets'));
  for (const [, name] of text.matchAll(/presets\/([\w-]+\.yaml)/g))
    assert.ok(presets.includes(name), name);
  const readme = fs.readFileSync(path.join(root, 'deploy/helm/redisproxy/README.md'), 'utf8');
  for (const name of presets)
    assert.ok(readme.includes('`' + path.basename(name, '.yaml') + '`'), `${name} is not in the chart's README`);
});

/* "..." stands for a name of the user's; what ends the sentence is no part of it. */
const choices = (comment) => [...comment.matchAll(/(--set(?:-string)?) (\S+)/g)]
  .map(([, flag, words]) => [flag, words.replaceAll('=...', '=name').replace('<fullname>', 'redis').replace(/[).]+$/, '')]);

for (const file of files(path.join(chart, 'presets'))) {
  const name = path.basename(file, '.yaml');
  const comment = fs.readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith('#')).join('\n');

  test(`what the preset ${name} tells to set, the chart, and the proxy with those files, take`, () => {
    assert.match(comment, new RegExp(`helm install redisproxy \\. .*-f presets/${name}\\.yaml`));
    const all = choices(comment);
    assert.ok(name === 'argocd' || all.length > 0);
    for (const choice of all) {
      const objects = parse(template('-f', file, ...choice));
      const pod = pods.podsOf(objects).find((each) => (pods.proxyOf(each) || {}).name === 'redisproxy');
      assert.deepStrictEqual(check(write(`${name}-told`, pod, objects)), [], choice.join(' '));
    }
  });
}
