/* pods: what is asked of every pod, whoever made it. Each function returns a list of complaints. */
'use strict';

/* The pods of a list of objects: {name, labels, spec, hook}. */
function podsOf(objects) {
  const pods = [];
  for (const object of objects) {
    const name = `${object.kind}/${object.metadata.name}`;
    if (object.kind === 'Pod')
      pods.push({ name, labels: object.metadata.labels, spec: object.spec, object });
    else if (object.spec && object.spec.template)
      pods.push({ name, labels: object.spec.template.metadata.labels, spec: object.spec.template.spec, object });
  }
  return pods;
}

const inits = (pod) => pod.spec.initContainers || [];
const containers = (pod) => [...inits(pod), ...pod.spec.containers];
const isSidecar = (pod, container) => inits(pod).includes(container) && container.restartPolicy === 'Always';
const proxyOf = (pod) => containers(pod).find((each) => each.name === 'redisproxy' || each.name === 'doctor');

const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];

/* Pod Security Standards, profile "restricted" (with "baseline", which is part of it). */
function restricted(pod) {
  const wrong = [];
  const ask = (holds, what) => holds || wrong.push(`${pod.name}: ${what}`);
  const ofPod = pod.spec.securityContext || {};

  for (const name of ['hostNetwork', 'hostPID', 'hostIPC'])
    ask(!pod.spec[name], name);
  ask(!(ofPod.sysctls || []).length, 'sysctls');
  for (const volume of pod.spec.volumes || []) {
    const kinds = Object.keys(volume).filter((key) => key !== 'name');
    ask(kinds.every((kind) => VOLUMES.includes(kind)), `the volume ${volume.name} is a ${kinds}`);
  }
  ask(ofPod.runAsUser !== 0, 'runAsUser 0');
  for (const container of containers(pod)) {
    const own = container.securityContext || {};
    const either = (key) => (own[key] === undefined ? ofPod[key] : own[key]);
    const say = (holds, what) => ask(holds, `${container.name}: ${what}`);
    say(own.allowPrivilegeEscalation === false, 'allowPrivilegeEscalation is not false');
    say(!own.privileged, 'privileged');
    say(either('runAsNonRoot') === true, 'runAsNonRoot is not true');
    say(own.runAsUser !== 0, 'runAsUser 0');
    say(['RuntimeDefault', 'Localhost'].includes((either('seccompProfile') || {}).type), 'no seccompProfile');
    const capabilities = own.capabilities || {};
    say((capabilities.drop || []).includes('ALL'), 'capabilities are not dropped');
    say((capabilities.add || []).every((each) => each === 'NET_BIND_SERVICE'), 'capabilities are added');
    say(!own.procMount || own.procMount === 'Default', 'procMount');
    say((container.ports || []).every((port) => !port.hostPort), 'hostPort');
  }
  return wrong;
}

/* What the issue asks for besides: nothing writable, no capability at all, no token, nothing that runs before. */
function hardened(pod) {
  const wrong = [];
  const ask = (holds, what) => holds || wrong.push(`${pod.name}: ${what}`);
  const proxy = proxyOf(pod);

  ask(pod.spec.automountServiceAccountToken === false, 'a token is mounted');
  ask(proxy.securityContext.readOnlyRootFilesystem === true, 'the root file system is writable');
  ask(!(proxy.securityContext.capabilities.add || []).length, 'a capability is added');
  ask((pod.spec.securityContext.seccompProfile || proxy.securityContext.seccompProfile || {}).type === 'RuntimeDefault',
    'seccomp is not RuntimeDefault');
  /* HAProxy's init container crash-loops when a name does not resolve: argo-cd#22601. */
  ask(inits(pod).every((each) => each !== proxy || isSidecar(pod, each)), 'the proxy is an init container');
  if (!isSidecar(pod, proxy))
    ask(inits(pod).length === 0, 'an init container runs before the proxy');
  else
    ask(inits(pod)[0] === proxy, 'another init container starts before the sidecar');
  ask((proxy.env || []).every((each) => !(each.valueFrom || {}).secretKeyRef), 'a secret in the environment');
  return wrong;
}

const seconds = (text) => {
  const match = /^(\d+)(ms|s|m)$/.exec(text);
  return Number(match[1]) * { ms: 0.001, s: 1, m: 60 }[match[2]];
};

/* The settings of one section of a proxy.conf. */
function section(conf, name) {
  const settings = {};
  let inside = false;
  for (const line of conf.split('\n')) {
    if (line.startsWith('['))
      inside = line.startsWith(`[${name}`);
    const match = /^(\w+) = (.*?)( ;.*)?$/.exec(line);
    if (inside && match)
      settings[match[1]] = match[2];
  }
  return settings;
}

/* preStop and terminationGracePeriodSeconds, beside what the configuration says of draining. */
function termination(pod, conf) {
  const wrong = [];
  const ask = (holds, what) => holds || wrong.push(`${pod.name}: ${what}`);
  const proxy = proxyOf(pod);
  const settings = section(conf, 'proxy');
  const delay = seconds(settings.drain_delay || '0s');
  const timeout = seconds(settings.drain_timeout || '10s');
  const hook = ((proxy.lifecycle || {}).preStop || {}).exec;

  if (isSidecar(pod, proxy)) {
    /* The hooks of sidecars run at once, before the application is told to stop; SIGTERM comes after it has ended. */
    ask(!proxy.lifecycle, 'a sidecar with a hook drains while the application works');
    ask(delay === 0 && timeout <= 2, 'a sidecar is not waited for');
    return wrong;
  }
  ask(pod.spec.terminationGracePeriodSeconds >= delay + timeout + 2,
    `terminationGracePeriodSeconds ${pod.spec.terminationGracePeriodSeconds} is less than ${delay} + ${timeout} + 2`);
  ask(delay >= 2, 'endpoints need some seconds until they know that a pod goes');
  if (hook) {
    const socket = settings.admin || '/run/redisproxy/admin.sock';
    ask(hook.command.join(' ') === `/usr/bin/redisproxy ctl -s ${socket} drain`, `preStop: ${hook.command.join(' ')}`);
    const mount = proxy.volumeMounts.find((each) => socket.startsWith(each.mountPath + '/') && !each.readOnly);
    ask(mount && pod.spec.volumes.find((each) => each.name === mount.name).emptyDir, 'there is no room for the admin socket');
  }
  return wrong;
}

module.exports = { podsOf, containers, inits, isSidecar, proxyOf, restricted, hardened, termination, section };
