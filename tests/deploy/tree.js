/*
 * tree: the files that a pod's volumes would put before the proxy, in a folder, and the configuration with that folder before its
 * paths. What is in the Secrets is made here: the names of the files say what it has to be.
 */
'use strict';
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { proxyOf } = require('./pods');
const { root, build } = require('./render');

const binary = process.env.REDISPROXY || path.join(root, 'build/redisproxy');

/* One certificate, which is its own CA. */
function certificate() {
  const folder = path.join(build, 'certificate');
  const files = { 'tls.crt': path.join(folder, 'tls.crt'), 'tls.key': path.join(folder, 'tls.key') };
  if (!fs.existsSync(files['tls.key'])) {
    fs.mkdirSync(folder, { recursive: true });
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
      '-subj', '/CN=redisproxy', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', files['tls.key'], '-out',
      files['tls.crt']], { stdio: 'pipe' });
  }
  const read = (name) => fs.readFileSync(files[name]);
  return { 'tls.crt': read('tls.crt'), 'ca.crt': read('tls.crt'), 'tls.key': read('tls.key'),
    password: 'secret\n', users: 'application secret\n' };
}

/* Where a mount of this pod is in the folder. */
const below = (folder, mountPath) => path.join(folder, mountPath);

/* Writes all volumes of the proxy's container below folder; returns {folder, conf, text, mounts}. */
function write(name, pod, objects, folder = path.join(build, 'trees', name)) {
  const contents = certificate();
  const proxy = proxyOf(pod);
  let conf;
  fs.rmSync(folder, { recursive: true, force: true });
  for (const mount of proxy.volumeMounts) {
    const to = below(folder, mount.mountPath);
    const volume = pod.spec.volumes.find((each) => each.name === mount.name);
    if (!volume)
      throw new Error(`${pod.name}: there is no volume ${mount.name}`);
    fs.mkdirSync(to, { recursive: true });
    if (volume.configMap) {
      const map = objects.find((each) => each.kind === 'ConfigMap' && each.metadata.name === volume.configMap.name);
      for (const [file, text] of Object.entries(map ? map.data : {})) {
        fs.writeFileSync(path.join(to, file), text);
        if (file === 'proxy.conf')
          conf = path.join(to, file);
      }
    } else if (volume.secret) {
      for (const item of volume.secret.items) {
        if (!(item.path in contents))
          throw new Error(`${pod.name}: nobody knows what ${item.path} of ${volume.secret.secretName} is`);
        fs.writeFileSync(path.join(to, item.path), contents[item.path]);
      }
    }
  }
  const mounts = proxy.volumeMounts.map((each) => each.mountPath).sort((a, b) => b.length - a.length);
  const text = conf && fs.readFileSync(conf, 'utf8');
  return { folder, conf, text, mounts };
}

/* Replaces the pod's paths by those in the folder. */
function moved(tree, text) {
  return tree.mounts.reduce((so, mount) => so.split(mount + '/').join('\0' + mount.slice(1) + '/'), text)
    .split('\0').join(tree.folder + '/');
}

/* Lets the proxy check the configuration. Returns what it complains of. */
function check(tree) {
  const file = tree.conf + '.moved';
  fs.writeFileSync(file, moved(tree, tree.text));
  const done = spawnSync(binary, ['-t', '-c', file], { encoding: 'utf8' });
  return done.status === 0 ? [] : [(done.error || '') + done.stdout + done.stderr];
}

module.exports = { binary, write, moved, check };
