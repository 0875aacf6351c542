/*
 * render: everything that deploy/ makes: each preset of the chart, the chart with the files of values/, and each overlay, by
 * the real helm and kubectl. No cluster is asked.
 */
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const build = path.join(root, 'build/deploy');
const yaml = require(path.join(build, 'node_modules/yaml'));

const chart = path.join(root, 'deploy/helm/redisproxy');
const kustomizations = path.join(root, 'deploy/kubernetes');

/* Both look for folders of the user's: they get one of their own. */
const env = { ...process.env, HOME: path.join(build, 'home'), KUBECONFIG: '/dev/null' };
for (const name of ['HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME', 'XDG_CONFIG_HOME'])
  delete env[name];

function run(program, args) {
  return execFileSync(path.join(build, 'bin', program), args, { env, encoding: 'utf8', stdio: 'pipe' });
}

/* Throws what helm says. */
function helm(...args) {
  try {
    return run('helm', args);
  } catch (error) {
    throw new Error(error.stderr || error.message);
  }
}

const template = (...args) => helm('template', 'redisproxy', chart, '--namespace', 'redis', ...args);
const kustomize = (folder) => run('kubectl', ['kustomize', folder]);
const parse = (text) => yaml.parseAllDocuments(text).map((each) => each.toJS()).filter(Boolean);

function files(folder) {
  return fs.readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort().map((name) => path.join(folder, name));
}

/* How each is made, by the name of its file in golden/. */
const makers = new Map([
  ...files(path.join(chart, 'presets')).map((file) => ['chart-' + path.basename(file, '.yaml'), () => template('-f', file)]),
  ...files(path.join(__dirname, 'values')).map((file) => ['values-' + path.basename(file, '.yaml'), () => template('-f', file)]),
  ['kustomize-base', () => kustomize(path.join(kustomizations, 'base'))],
  ...fs.readdirSync(path.join(kustomizations, 'overlays')).sort()
    .map((name) => ['kustomize-' + name, () => kustomize(path.join(kustomizations, 'overlays', name))]),
]);
const done = new Map();

/* {name, text, objects} */
function one(name) {
  if (!done.has(name)) {
    const text = makers.get(name)();
    done.set(name, { name, text, objects: parse(text) });
  }
  return done.get(name);
}

const everything = () => [...makers.keys()].map(one);

module.exports = { root, build, chart, yaml, helm, template, parse, files, one, everything };
