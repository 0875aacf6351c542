/*
 * files: what is made of something else and kept in the repository: the table in the chart's README, of values.yaml and
 * values.schema.json; the chart's copy of conf/alerts.yml, and the PrometheusRule of the kustomization; and golden/, everything that
 * deploy/ makes. "make deploy-files" writes them all; the tests compare.
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { root, chart, yaml, everything } = require('./render');

const BEGIN = '<!-- values: made by "make deploy-files" -->\n';
const END = '<!-- end of values -->\n';
const golden = path.join(__dirname, 'golden');
const read = (...parts) => fs.readFileSync(path.join(...parts), 'utf8');

const escaped = (text) => text.replace(/\|/g, '\\|');

function shown(value) {
  const text = JSON.stringify(value);
  return text.length > 60 ? 'see values.yaml' : '`' + escaped(text) + '`';
}

/* One row for each value; what has no properties of its own in the schema is one value. */
function rows(schema, values, before = '') {
  return Object.entries(schema.properties).flatMap(([name, of]) => {
    const key = before + name;
    if (of.properties && of.additionalProperties === false)
      return [`| **${key}** | | ${escaped(of.description)} |`, ...rows(of, values[name], key + '.')];
    const words = of.enum ? ` One of ${of.enum.map((each) => '`' + (each === '' ? '""' : each) + '`').join(', ')}.` : '';
    return [`| \`${key}\` | ${values[name] === undefined ? '' : shown(values[name])} | ${escaped(of.description)}${escaped(words)} |`];
  });
}

function readme() {
  const table = ['| value | default | |', '|---|---|---|',
    ...rows(JSON.parse(read(chart, 'values.schema.json')), yaml.parse(read(chart, 'values.yaml')))];
  const text = read(chart, 'README.md');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from)
    throw new Error('README.md has lost its marks');
  return text.slice(0, from + BEGIN.length) + table.join('\n') + '\n' + text.slice(to);
}

function rule() {
  const alerts = read(root, 'conf/alerts.yml').split('\n').filter((line) => !line.startsWith('#'));
  return '# Made from conf/alerts.yml by "make deploy-files".\n' +
    'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: redisproxy\n' +
    '  labels: {app.kubernetes.io/name: redisproxy}\nspec:\n' +
    alerts.map((line) => (line ? '  ' + line : line)).join('\n');
}

/* A map from path to content. */
function made() {
  const all = new Map();
  all.set(path.join(chart, 'README.md'), readme());
  all.set(path.join(chart, 'files/alerts.yml'), read(root, 'conf/alerts.yml'));
  all.set(path.join(root, 'deploy/kubernetes/components/monitoring/prometheusrule.yaml'), rule());
  return all;
}

/* The same for golden/, which is made of those. */
function rendered() {
  return new Map(everything().map(({ name, text }) => [path.join(golden, name + '.yaml'), text]));
}

if (require.main === module) {
  for (const [file, text] of made())
    fs.writeFileSync(file, text);
  fs.rmSync(golden, { recursive: true, force: true });
  fs.mkdirSync(golden);
  for (const [file, text] of rendered())
    fs.writeFileSync(file, text);
}

module.exports = { golden, made, rendered, rows };
