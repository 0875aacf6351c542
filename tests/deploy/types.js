/*
 * types: are these objects what Kubernetes' API knows? Twice: the JSON schemas of kubernetes-models say whether values are good; they
 * pass over a field that nobody knows, so the types of the same package, and a TypeScript compiler, say that.
 */
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { build } = require('./render');

function moduleOf(object) {
  const operator = object.apiVersion.startsWith('monitoring.coreos.com/');
  return `${operator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${object.apiVersion}/${object.kind}`;
}

/* The complaints of the schemas. */
async function invalid(object) {
  const file = path.join(build, 'node_modules', moduleOf(object) + '.js');
  const model = (await import(pathToFileURL(file)))[object.kind];
  try {
    new model(object).validate();
    return [];
  } catch (error) {
    return [`${object.kind}/${object.metadata.name}: ${error.message}`];
  }
}

/* The complaints of the compiler, of a list of {name, objects}; name stands in each. */
function unknown(all) {
  const folder = path.join(build, 'types');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder);
  const sources = all.map(({ name, objects }) => {
    const lines = objects.map((object, at) =>
      `import type { I${object.kind} as T${at} } from "${moduleOf(object)}";\n` +
      `export const object${at}: T${at} = ${JSON.stringify(object, null, 1)};\n`);
    fs.writeFileSync(path.join(folder, `${name}.ts`), lines.join(''));
    return `${name}.ts`;
  });
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ files: sources, compilerOptions:
    { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', moduleResolution: 'nodenext', types: [] } }));
  const compiler = path.join(build, 'node_modules/typescript/bin/tsc');
  const done = spawnSync(process.execPath, [compiler, '-p', '.', '--pretty', 'false'], { cwd: folder, encoding: 'utf8' });
  const complaints = done.stdout.split('\n').filter((line) => line.includes('error TS'));
  if (done.status !== 0 && !complaints.length)
    throw new Error(`tsc: ${done.stdout}${done.stderr}`);
  return complaints;
}

module.exports = { invalid, unknown };
