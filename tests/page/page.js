// The page in Chromium: loads, shows the master, a switchover within a second and its phases after it; no error on the console,
// no request elsewhere; contrast and labels (axe-core), a phone's size, dark and light, by keyboard, without JavaScript.
//
//     node page.js PROXY HTTP-PORT SENTINEL        browser.c starts it
'use strict';

const fs = require('fs'), net = require('net'), path = require('path');
const modules = path.join(__dirname, '../../build/page/node_modules');
const {chromium} = require(path.join(modules, 'playwright-core'));
const axe = fs.readFileSync(path.join(modules, 'axe-core/axe.min.js'), 'utf8');

const [proxy, port, sentinel] = process.argv.slice(2);
const url = `http://${proxy}:${port}/`;
const DESKTOP = {width: 1280, height: 900}, PHONE = {width: 360, height: 740};
const begun = Date.now();
const troubles = [];

function done(text) {
  console.log(`${((Date.now() - begun) / 1000).toFixed(1)} s: ${text}`);
}
function check(good, text) {
  if (!good) throw new Error(text);
}
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

// ---- Redis' side ----

// One answer to one command.
function ask(host, to, command) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(to, host, () => socket.write(command + '\r\n'));
    socket.once('data', data => { resolve(data.toString()); socket.destroy(); });
    socket.once('error', reject);
  });
}

// Clients that write and read, one request after the other, until they are told to stop.
function load(count) {
  const sockets = [];
  let answers = 0;
  for (let i = 0; i < count; i++) {
    const socket = net.connect(i % 4 ? 6379 : 6380, proxy), command = i % 4 ? `INCR n${i}\r\n` : `GET n${i}\r\n`;
    socket.on('connect', () => socket.write(command));
    socket.on('data', () => { answers++; setTimeout(() => socket.destroyed || socket.write(command), 2); });
    socket.on('error', () => {});
    sockets.push(socket);
  }
  return {stop: () => sockets.forEach(socket => socket.destroy()), answers: () => answers};
}

// A Sentinel refuses while it is not sure of its peers.
async function failover() {
  for (let i = 0; i < 100; i++) {
    if ((await ask(sentinel, 26379, 'SENTINEL FAILOVER mymaster')).startsWith('+OK')) return Date.now();
    await sleep(200);
  }
  throw new Error('no failover is begun');
}

// ---- pages ----

// A page that must not say anything on the console, nor ask anybody else.
async function open(browser, options) {
  const context = await browser.newContext(options), page = await context.newPage();
  page.on('console', m => { if (m.type() === 'error' && !page.expectsErrors) troubles.push('console: ' + m.text()); });
  page.on('pageerror', error => troubles.push('error: ' + error.message));
  page.on('request', request => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith('data:')) troubles.push('request to ' + to);
  });
  const answer = await page.goto(url);
  check(answer.status() === 200, 'status ' + answer.status());
  return page;
}

async function judge(page, what) {
  // As an extension would: the page's policy lets nothing else in.
  await page.evaluate(axe + ';0');
  const found = await page.evaluate(() => axe.run(document, {resultTypes: ['violations', 'incomplete']}));
  for (const v of found.violations) {
    troubles.push(`${what}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join(' | ')}`);
  }
  check(found.passes === undefined || found.passes.length > 10, 'axe looked at nothing');
  done(`${what}: axe has ${found.violations.length} complaints`);
}

async function fits(page, what) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(wide <= room, `${what}: ${wide} px wide, and there are ${room}`);
}

const master = page => page.evaluate(() => document.querySelector('table[data-rows=groups] tbody td[data-key=master]').textContent);

// ---- steps ----

async function shows(browser, scheme, size, what) {
  const page = await open(browser, {colorScheme: scheme, viewport: size, reducedMotion: 'reduce'});
  await page.getByText('live', {exact: true}).waitFor();
  await page.locator('#pictures svg').waitFor();
  const named = await master(page), label = await page.locator('#pictures svg').getAttribute('aria-label');
  check(/^127\..*:6379$/.test(named), 'master: ' + named);
  check(label.includes(named + ': master'), 'the picture says: ' + label);
  check(await page.locator('#pictures svg rect.box').count() === 7, 'a proxy, three nodes, three Sentinels');
  await page.waitForFunction(() => +document.querySelector('[data-value="traffic.requests_per_s"]').textContent > 0);
  await fits(page, what);
  await judge(page, what);
  await page.context().close();
  done(`${what}: shows ${named}`);
}

async function keyboard(browser) {
  const page = await open(browser, {viewport: DESKTOP});
  await page.getByText('live', {exact: true}).waitFor();
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.className) === 'skip', 'the first is not the link to the topology');
  await page.keyboard.press('Enter');
  check(page.url() === url + '#main', 'it leads to ' + page.url());
  const wanted = await page.locator('.scroll').count(), reached = new Set();
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      return [e.className === 'scroll' ? e.getAttribute('aria-label') : e.href || '', getComputedStyle(e).outlineStyle];
    });
    if (at[0]) check(at[1] !== 'none', `${at[0]} does not show that it has the focus`);
    reached.add(at[0]);
  }
  const tables = [...reached].filter(name => name && !name.startsWith('http')).length;
  check(tables === wanted, `${tables} of ${wanted} tables are reached`);
  check(reached.has(url + 'status'), 'the link to the JSON is not reached');
  await page.context().close();
  done(`by keyboard: ${tables} tables, links`);
}

async function plain(browser) {
  const page = await open(browser, {javaScriptEnabled: false, viewport: PHONE});
  const text = await page.locator('main').innerText();
  const json = JSON.parse(await (await fetch(url + 'status')).text());
  for (const word of [json.groups[0].master, ...json.nodes.map(n => n.node), ...json.sentinels.map(s => s.sentinel)]) {
    check(text.includes(word), `without JavaScript there is no ${word}`);
  }
  check(text.includes('master elected'), 'without JavaScript there is no log');
  check(await page.locator('meta[http-equiv=refresh]').count() === 1, 'it does not come anew');
  check((await page.locator('body').innerText()).includes('Without JavaScript'), 'it does not say so');
  await fits(page, 'without JavaScript');
  await page.context().close();
  done('without JavaScript: tables');
}

// Notes when the page first shows a switchover, and when its end.
const watch = page => page.evaluate(() => {
  window.seen = {};
  new MutationObserver(() => {
    const going = document.querySelector('#lines > .going');
    if (going && !seen.begun) seen.begun = [Date.now(), going.innerText];
    if (seen.begun && !going && !seen.ended && /Requests:/.test(document.querySelector('#lines > li').innerText)) {
      seen.ended = [Date.now(), document.querySelector('#lines > li').innerText];
    }
  }).observe(document.querySelector('#lines'), {childList: true, subtree: true, characterData: true});
});

async function switchover(browser) {
  const page = await open(browser, {viewport: DESKTOP});
  await page.getByText('live', {exact: true}).waitFor();
  const before = await master(page);
  await watch(page);
  await failover();
  await page.waitForFunction(() => seen.ended, null, {timeout: 30000});
  const seen = await page.evaluate(() => window.seen), after = await master(page);
  const json = JSON.parse(await (await fetch(url + 'status')).text()), last = json.switchovers.at(-1);
  const late = seen.begun[0] - Date.parse(last.ts);
  check(late < 1000, `it is shown ${late} ms after its beginning`);
  check(after !== before && after === last.to, `${before}, ${after}, ${last.to}`);
  for (const name of ['candidate known', 'promoted', 'named by a majority', 'released']) {
    check(seen.ended[1].includes(name), `"${name}" is not in: ${seen.ended[1]}`);
  }
  for (const [name, count] of Object.entries(last.requests)) {
    check(seen.ended[1].includes(`${count} ${name}`), `${count} ${name} is not in: ${seen.ended[1]}`);
  }
  check(seen.ended[1].includes(`held for ${last.held_ms.toLocaleString('en')} ms`), seen.ended[1]);
  check(last.requests.held > 0, 'no request was held: there was no load');
  check((await page.locator('#said').textContent()).includes(after), 'a screen reader is not told');
  check(await page.locator('.band').count() > 0, 'the graphs do not show it');
  await judge(page, 'after a switchover');
  await page.context().close();
  done(`a switchover: shown ${late} ms after its beginning, ${last.held_ms} ms long; its end ` +
    `${seen.ended[0] - Date.parse(last.ts) - last.held_ms} ms after it`);
}

// One page more than there are streams, and one whose stream breaks.
async function without_stream(browser) {
  const pages = [];
  for (let i = 0; i < 3; i++) {
    pages.push(await open(browser, {viewport: DESKTOP}));
    await pages[i].getByText('live', {exact: true}).waitFor();
  }
  const context = await browser.newContext(), page = await context.newPage();
  await page.goto(url);
  await page.getByText('asked every 5 seconds').waitFor();
  await page.locator('#pictures svg').waitFor();
  check(/^127/.test(await master(page)), 'it shows no master');
  await context.close();
  for (const one of pages) await one.context().close();
  done('without a stream: it asks');
}

// What the proxy is told by others is text.
async function hostile(browser) {
  const page = await open(browser, {viewport: DESKTOP});
  await page.getByText('live', {exact: true}).waitFor();
  const text = '<img src=x onerror=alert(1)>"\'&amp;';
  await page.evaluate(bad => {
    const status = JSON.parse(JSON.stringify(now));
    status.groups[0].reason = status.nodes[0].refuses = status.log[0].msg = status.nodes[0].node = status.proxy.reason = bad;
    status.log[0].fields = {'<b>': bad};
    status.switchovers = [{ts: bad, group: bad, from: bad, to: bad, reason: bad, result: 'new', held_ms: 5,
      phases_ms: {candidate: 1, promotion: 1, majority: 1, release: 2}, requests: {held: 1}}];
    take(status, false);
  }, text);
  check(await page.locator('main img').count() === 0, 'text became an element');
  check((await page.locator('#lines').innerText()).includes(text), 'text is not shown as it is');
  await page.context().close();
  done('hostile texts stay texts');
}

async function screenshots(browser, folder) {
  for (const [name, colorScheme, viewport, height] of [['page-light', 'light', {width: 1100, height: 800}, 1060],
    ['page-dark', 'dark', {width: 1100, height: 800}, 1060], ['page-phone', 'light', {width: 380, height: 800}, 1100]]) {
    const page = await open(browser, {colorScheme, viewport});
    await page.getByText('live', {exact: true}).waitFor();
    await sleep(3000);
    await page.screenshot({path: path.join(folder, name + '.png'), clip: {x: 0, y: 0, width: viewport.width, height}, fullPage: true});
    await page.context().close();
    done(name);
  }
}

async function main() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(p => fs.existsSync(p));
  const browser = await chromium.launch({executablePath, args: process.getuid() ? [] : ['--no-sandbox']});
  const clients = load(40);
  try {
    if (process.env.SCREENSHOTS) {
      await sleep(15000);
      await failover();
      await sleep(20000);
      await screenshots(browser, process.env.SCREENSHOTS);
    } else {
      await shows(browser, 'light', DESKTOP, 'light');
      await shows(browser, 'dark', DESKTOP, 'dark');
      await shows(browser, 'light', PHONE, 'phone');
      await shows(browser, 'dark', PHONE, 'phone, dark');
      await keyboard(browser);
      await plain(browser);
      await without_stream(browser);
      await switchover(browser);
      await hostile(browser);
    }
  } finally {
    clients.stop();
    await browser.close();
  }
  for (const trouble of troubles) console.log('TROUBLE ' + trouble);
  process.exitCode = troubles.length ? 1 : 0;
}

main().catch(error => {
  for (const trouble of troubles) console.log('TROUBLE ' + trouble);
  console.log('FAILED ' + error.stack);
  process.exit(1);
});
