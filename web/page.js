// The page's script: it takes what /events tells (or /status, where there is no stream) and shows it. What stands where is
// said by the HTML itself: data-value, data-rows, data-key (include/ops/page_fill.h); pictures are drawn here. Whatever the
// proxy tells is put in as text, never as HTML.
'use strict';

const KEPT = {samples: 300, switchovers: 20, log: 50};
const POLL_MS = 5000, RETRY_MS = 60000;
const PHASES = [['candidate', 'candidate known'], ['promotion', 'promoted'], ['majority', 'named by a majority'],
  ['release', 'released']];
const GOOD = /^(steady|ready|up|ok)$/, POOR = /^(switching|provisional|holding|warn|paused|draining|unknown|shutting down)$/,
  BAD = /^(none|silent|error|unavailable|stuck)$/;

let now = null, before = null; // the newest document, and the one before: rates are the difference
let said = '';
const $ = id => document.getElementById(id);

// ---- elements ----

function make(space, tag, attributes, ...children) {
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const el = (...all) => make('http://www.w3.org/1999/xhtml', ...all);
const draw = (...all) => make('http://www.w3.org/2000/svg', ...all);

// ---- values, as the server writes them ----

const at = (object, path) => path.split('.').reduce((o, name) => o == null ? o : o[name], object);

function format(value) {
  if (value === true) return 'yes';
  if (value === false) return 'no';
  if (typeof value === 'number') return value.toFixed(Number.isInteger(value) || value >= 100 ? 0 : 2);
  if (value && typeof value === 'object') return Object.entries(value).map(([k, v]) => k + '=' + format(v)).join(' ');
  return value || '–';
}

const short = n => n.toLocaleString('en', {maximumFractionDigits: n < 10 ? 2 : n < 100 ? 1 : 0});

function bytes(n) {
  for (const unit of ['B', 'KB', 'MB']) {
    if (n < 1000) return short(n) + ' ' + unit;
    n /= 1000;
  }
  return short(n) + ' GB';
}

const mood = word => GOOD.test(word) ? 'ok' : POOR.test(word) ? 'warn' : BAD.test(word) ? 'bad' : '';

// ---- texts and tables ----

function fillValues() {
  for (const element of document.querySelectorAll('[data-value]')) {
    const value = at(now, element.dataset.value), reason = element.dataset.value === 'proxy.reason';
    const text = reason ? value : format(value);
    if (element.textContent !== text) element.textContent = text;
  }
  $('state').className = mood(now.proxy.status);
}

function fillTable(table) {
  const name = table.dataset.rows;
  let rows = now[name];
  if (name === 'log' || name === 'switchovers') rows = [...rows].reverse();
  const keys = [...table.querySelectorAll('[data-key]')].filter(e => e.tagName === 'TH' && e.scope === 'col')
    .map(th => th.dataset.key);
  const text = rows.map(row => keys.map(key => format(at(row, key))));
  const news = JSON.stringify(text);
  if (table.shows === news) return;
  table.shows = news;
  const lines = text.map(cells => el('tr', {}, ...cells.map((cell, i) =>
    i ? el('td', {class: mood(cell), 'data-key': keys[i]}, cell) : el('th', {scope: 'row'}, cell))));
  table.tBodies[0].replaceChildren(...lines.length ? lines : [el('tr', {}, el('td', {colspan: keys.length}, 'none'))]);
}

// ---- the picture ----

function rate(row, key) {
  const old = before && before.nodes.find(n => n.node === row.node && n.group === row.group);
  const seconds = before ? (Date.parse(now.proxy.now) - Date.parse(before.proxy.now)) / 1000 : 0;
  return old && seconds > 0 ? Math.max(0, (row[key] - old[key]) / seconds) : 0;
}

function nodeLines(group, node) {
  const connections = Object.values(node.upstreams).reduce((a, b) => a + b, 0);
  const traffic = rate(node, 'sent_bytes_total') + rate(node, 'received_bytes_total');
  let word = node.role, state = 'ok';
  if (node.state !== 'up') [word, state] = [node.role + ', ' + node.state, node.state === 'silent' ? 'bad' : 'warn'];
  else if (node.refuses) [word, state] = [node.role + ', refuses the proxy', 'bad'];
  else if (node.role === 'master' && !node.writable) [word, state] = ['master, writes are held', 'warn'];
  else if (node.role === 'replica' && !node.readable) [word, state] = ['replica, not read', 'warn'];
  else if (node.role === 'replica' && node.lag_bytes != null) word = 'replica, ' + bytes(node.lag_bytes) + ' behind';
  return {name: node.node, word, state, traffic,
    small: connections + (connections === 1 ? ' connection, ' : ' connections, ') + bytes(traffic) + '/s'};
}

function sentinelLines(sentinel) {
  const state = !sentinel.reachable ? 'bad' : sentinel.agrees && !sentinel.tilt ? 'ok' : 'warn';
  const word = !sentinel.reachable ? 'silent' : sentinel.tilt ? 'in tilt' : sentinel.agrees ? 'names the master' : 'disagrees';
  return {name: sentinel.sentinel, word: 'Sentinel, ' + word, state, traffic: 0};
}

function proxyLines(group) {
  const held = now.proxy.held_sessions;
  const state = group.state === 'none' ? 'bad' : group.writable ? 'ok' : 'warn';
  return {name: 'this proxy', word: held ? held + ' clients held' : now.proxy.sessions + ' clients', state,
    small: short(now.traffic.requests_per_s) + ' requests/s'};
}

function clip(text, width) {
  const most = Math.floor((width - 16) / 8.2);
  return text.length > most ? text.slice(0, most / 2 - 1) + '…' + text.slice(-most / 2) : text;
}

const GAP = 14, high = lines => lines.small ? 66 : 48;

function box(x, y, width, lines) {
  const group = draw('g', {transform: `translate(${x},${y})`},
    draw('rect', {class: 'box ' + lines.state, width, height: high(lines), rx: 7}),
    draw('text', {class: 'name', x: 9, y: 20}, clip(lines.name, width)),
    draw('text', {class: lines.state, x: 9, y: 39}, clip(lines.word, width)));
  if (lines.small) group.append(draw('text', {class: 'small', x: 9, y: 57}, clip(lines.small, width)));
  return group;
}

const weight = traffic => 1.5 + Math.log10(1 + traffic / 100) * 1.3;

function edge(path, lines) {
  return draw('path', {class: 'edge ' + lines.state, d: path, 'stroke-width': weight(lines.traffic)});
}

// Three columns: Sentinels, the proxy, nodes.
function wide(width, proxy, sentinels, nodes) {
  const column = Math.min(240, (width - 160) / 3), gap = (width - 3 * column - 4) / 2;
  const px = 2 + column + gap, nx = px + column + gap;
  const size = rows => rows.reduce((sum, lines) => sum + high(lines) + GAP, 0);
  const height = Math.max(size(sentinels), size(nodes), size([proxy])), middle = 2 + height / 2 - GAP / 2;
  const edges = [], boxes = [box(px, middle - high(proxy) / 2, column, proxy)];
  for (const [rows, x, from, to] of [[sentinels, 2, 2 + column, px], [nodes, nx, nx, px + column]]) {
    let y = 2 + (height - size(rows)) / 2;
    for (const lines of rows) {
      const mid = y + high(lines) / 2, half = (from + to) / 2;
      edges.push(edge(`M${from},${mid} C${half},${mid} ${half},${middle} ${to},${middle}`, lines));
      boxes.push(box(x, y, column, lines));
      y += high(lines) + GAP;
    }
  }
  return [[...edges, ...boxes], height + 2];
}

// For a phone: one below the other, all from one line.
function narrow(width, proxy, sentinels, nodes) {
  const parts = [box(2, 2, width - 4, proxy)];
  let from = 2 + high(proxy), y = from + GAP;
  for (const lines of [...nodes, ...sentinels]) {
    const middle = y + high(lines) / 2;
    parts.push(edge(`M14,${from} V${middle} H34`, lines), box(34, y, width - 36, lines));
    from = middle;
    y += high(lines) + GAP;
  }
  return [parts, y - GAP + 2];
}

function picture(group, width) {
  const of = (rows, lines) => rows.filter(r => r.group === group.group).map(lines);
  const nodes = of([...now.nodes].sort((a, b) => (b.role === 'master') - (a.role === 'master')), n => nodeLines(group, n));
  const sentinels = of(now.sentinels, sentinelLines), proxy = proxyLines(group);
  const [parts, height] = (width >= 680 ? wide : narrow)(width, proxy, sentinels, nodes);
  const label = [proxy, ...nodes, ...sentinels].map(l => `${l.name}: ${l.word}`).join('; ');
  return draw('svg', {role: 'img', 'aria-label': `Group ${group.group}. ${label}`, viewBox: `0 0 ${width} ${height}`, height},
    ...parts);
}

function drawPictures() {
  const width = Math.max(280, $('pictures').clientWidth);
  $('pictures').replaceChildren(...now.groups.map(group => el('div', {class: 'group'},
    el('h3', {}, group.group + ': ', el('span', {class: mood(group.state)}, group.state),
      group.reason ? ', ' + group.reason : ''), picture(group, width))));
}

// ---- graphs ----

const GRAPHS = [
  {title: 'Requests a second', lines: [['requests_per_s', 'requests'], ['errors_per_s', 'errors']]},
  {title: 'Latency, ms (logarithmic)', lines: [['p50_ms', 'median'], ['p99_ms', '99 %'], ['p999_ms', '99.9 %']], floor: 0.05},
  {title: 'Clients held', lines: [['held_sessions', 'held']]},
];
const SPAN_MS = 300000, SPAN_LEAST_MS = 60000, WIDE = 600, HIGH = 120;

function curve(samples, key, x, y) {
  let path = '', pen = 'M';
  for (const sample of samples) {
    if (sample[key] == null) { pen = 'M'; continue; }
    path += pen + x(sample.at_ms).toFixed(1) + ',' + y(sample[key]).toFixed(1);
    pen = 'L';
  }
  return path;
}

function bands(x) {
  return now.switchovers.concat(now.groups.filter(g => g.switching).map(g => g.switching)).map(s => {
    const from = Math.max(0, x(Date.parse(s.ts))), to = x(Date.parse(s.ts) + s.held_ms);
    return !(to >= 0) ? null : draw('rect', {class: 'band', x: from, y: 0, width: Math.max(1.5, to - from), height: HIGH});
  }).filter(Boolean);
}

function graph({title, lines, floor}) {
  const end = Date.parse(now.proxy.now), samples = now.samples.filter(s => end - s.at_ms < SPAN_MS);
  const span = Math.max(SPAN_LEAST_MS, samples.length ? end - samples[0].at_ms : 0), ago = short(span / 1000);
  const x = ms => WIDE * (1 - (end - ms) / span);
  const most = Math.max(1, ...samples.map(s => Math.max(...lines.map(([key]) => s[key] || 0))));
  const part = floor ? v => Math.log(Math.max(v, floor) / floor) / Math.log(most / floor) : v => v / most;
  const y = v => HIGH - 3 - part(v) * (HIGH - 8);
  const last = samples[samples.length - 1] || {};
  const told = lines.map(([key, name]) => `${name} ${last[key] == null ? 'none' : short(last[key])}`);
  const caption = el('figcaption', {}, title + ' ');
  lines.forEach((line, i) => caption.append(el('span', {class: 'key key' + i}), told[i]));
  return el('figure', {}, caption, el('div', {class: 'most'}, 'highest ' + short(most)),
    draw('svg', {role: 'img', viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: 'none',
      'aria-label': `${title}, the last ${ago} seconds: now ${told.join(', ')}; highest ${short(most)}`},
    ...bands(x), ...lines.map(([key], i) => draw('path', {class: 'curve curve' + i, d: curve(samples, key, x, y)}))),
    el('div', {class: 'most axis'}, el('span', {}, ago + ' s ago'), el('span', {}, 'now')));
}

// ---- switchovers ----

function timeLine(s, group, going) {
  const phases = PHASES.map(([key, name], i) => [s.phases_ms[key], name, i]).filter(p => p[0] != null);
  const what = going ? `under way for ${short(s.held_ms)} ms` : `${s.result === 'new' ? 'new master' : 'the old master went on'}, ` +
    `held for ${short(s.held_ms)} ms`;
  const line = el('li', {class: going ? 'going' : ''}, el('strong', {}, `${group}: ${s.from || '?'} → ${s.to || '?'}`),
    ` ${what} `, el('span', {class: 'muted'}, s.ts + (s.reason ? ', ' + s.reason : '')));
  const bar = el('div', {class: 'bar', 'aria-hidden': 'true'});
  for (const [ms, , i] of phases) {
    const part = el('span', {class: 'phase' + i});
    part.style.flexGrow = ms;
    if (ms) bar.append(part);
  }
  line.append(bar, el('ul', {class: 'phases'}, ...phases.map(([ms, name, i]) => el('li', {class: 'phase' + i},
    going && PHASES[i][0] === s.phase ? `not yet ${name}: ${short(ms)} ms` : `${name}: ${short(ms)} ms`))));
  if (s.requests) {
    line.append(el('p', {}, 'Requests: ' + Object.entries(s.requests).map(([k, n]) => `${n} ${k}`).join(', ')));
  }
  return line;
}

function drawLines() {
  const going = now.groups.filter(g => g.switching).map(g => timeLine(g.switching, g.group, true));
  const ended = [...now.switchovers].reverse().map(s => timeLine(s, s.group, false));
  const news = JSON.stringify([now.switchovers, now.groups.map(g => g.switching)]);
  if ($('lines').shows === news) return;
  $('lines').shows = news;
  $('lines').replaceChildren(...going, ...ended);
  if (!going.length && !ended.length) $('lines').append(el('li', {}, 'none so far'));
}

// ---- all of it ----

// For screen readers: what has changed, and nothing else.
function announce() {
  const text = now.groups.map(g => `${g.group} is ${g.state}, ` + (g.master ? 'its master is ' + g.master : 'without a master'))
    .join('. ');
  if (said && text !== said) $('said').textContent = text;
  said = text;
}

function show() {
  fillValues();
  document.querySelectorAll('table[data-rows]').forEach(fillTable);
  document.title = now.proxy.status + ' – redisproxy';
  announce();
  drawPictures();
  $('charts').replaceChildren(...GRAPHS.map(graph));
  drawLines();
}

function take(status, update) {
  for (const [name, most] of Object.entries(KEPT)) {
    if (update && now) status[name] = now[name].concat(status[name]);
    status[name] = status[name].slice(-most);
  }
  // Two that come at once would make rates of nothing.
  if (!now || Date.parse(status.proxy.now) - Date.parse(now.proxy.now) > 500) before = now;
  now = status;
  show();
}

const tell = text => { $('live').textContent = text; };

// ---- where it comes from ----

async function poll() {
  try {
    const answer = await fetch('status');
    if (!answer.ok) throw new Error('status ' + answer.status);
    take(await answer.json(), false);
    tell(`asked every ${POLL_MS / 1000} seconds: there is no stream for this page`);
  } catch (error) {
    tell('not connected: what is shown is old');
  }
}

function listen() {
  const source = new EventSource('events');
  let timer = 0;
  source.addEventListener('status', event => { take(JSON.parse(event.data), false); tell('live'); });
  source.addEventListener('update', event => take(JSON.parse(event.data), true));
  source.onerror = () => {
    tell('not connected: what is shown is old');
    // The browser comes again by itself, unless it was refused.
    if (source.readyState !== EventSource.CLOSED || timer) return;
    poll();
    timer = setInterval(poll, POLL_MS);
    setTimeout(() => { clearInterval(timer); listen(); }, RETRY_MS);
  };
}

let resizing = 0;
addEventListener('resize', () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => { if (now) drawPictures(); });
});
listen();
