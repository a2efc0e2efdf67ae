// The page's life: snapshots come, the last is drawn. Nothing of an earlier one is kept.

import { showFlow, stateOf } from './flow.js';
import { showAges, showDocuments, showOverview, showRejected, showShares, showTrouble } from './panels.js';
import { byId, element, keep, setAttribute, setText } from './text.js';

// A service that says nothing for so many intervals, or milliseconds, is gone.
const SILENT = { intervals: 3, milliseconds: 3000 };

let latest = null;
let heard = 0;
let isHeld = false;
let isDue = false;
let states = new Map();

function draw() {
  isDue = false;
  if (!latest || !latest.programs || isHeld) return;
  showOverview(latest);
  showFlow(byId('stages'), latest);
  showShares(latest);
  showAges(latest);
  showTrouble(latest);
  showDocuments(latest);
  showRejected(latest, { read, sendAgain });
  announceChanges();
}

// Only what changes is said to who listens, and only what matters.
function announceChanges() {
  const matters = (state) => (state === 'working' || state === 'idle' ? 'up' : state);
  const changed = latest.programs.filter(({ name, state }) => states.has(name) && states.get(name) !== matters(state));
  states = new Map(latest.programs.map(({ name, state }) => [name, matters(state)]));
  if (changed.length > 0) {
    announce(changed.map((program) => `${program.name} is ${stateOf(program)}`).join('; '));
  }
}

function announce(text) {
  setText(byId('news'), text);
}

function connection(state, text) {
  setAttribute(byId('connection'), 'data-state', state);
  setText(byId('connection-text'), text);
}

function hear(event) {
  latest = JSON.parse(event.data);
  heard = performance.now();
  connection(isHeld ? 'held' : 'live', isHeld ? 'paused' : 'live');
  if (!isDue && !document.hidden) {
    isDue = true;
    requestAnimationFrame(draw);
  }
}

function watchSilence() {
  const bound = Math.max(SILENT.milliseconds, SILENT.intervals * 1000 * (latest?.interval_seconds ?? 1));
  if (heard > 0 && performance.now() - heard > bound) connection('lost', 'no news from the dashboard, trying again');
}

async function ask(path, options) {
  const reply = await fetch(path, options);
  const text = await reply.text();
  if (!reply.ok) throw new Error(text.trim() || `answered ${reply.status}`);
  return JSON.parse(text);
}

async function read(file) {
  const lines = byId('file-lines');
  lines.replaceChildren();
  setText(byId('file-title'), file.name);
  setText(byId('file-note'), 'reading');
  byId('file').showModal();
  try {
    const shown = await ask(`./rejected/${encodeURIComponent(file.name)}`);
    const make = () => element('li', {}, element('span', { name: 'quiet' }), element('code', { dir: 'ltr' }), element('span', { name: 'reason' }));
    keep(lines, shown.lines, (_, place) => place, make, (item, line) => {
      setText(item.children[0], line.number ?? '');
      setText(item.children[1], line.text);
      setText(item.children[2], line.reason ?? '');
    });
    const others = shown.others.length > 0 ? ` Reasons besides: ${shown.others.join('; ')}.` : '';
    setText(byId('file-note'), (shown.is_cut ? 'The first lines of it.' : 'All of it.') + others);
  } catch (error) {
    setText(byId('file-note'), error.message);
  }
}

async function sendAgain(file) {
  try {
    const path = `./rejected/${encodeURIComponent(file.name)}/send-again`;
    const sent = await ask(path, { method: 'POST', headers: { 'x-dashboard': '1' } });
    announce(`${file.name} waits again as ${sent.waits_as}`);
    setText(byId('rejected-note'), `${file.name} waits again as ${sent.waits_as}.`);
  } catch (error) {
    announce(`${file.name} was not sent again: ${error.message}`);
    setText(byId('problem'), `${file.name} was not sent again: ${error.message}`);
    byId('problem').hidden = false;
  }
}

byId('hold').addEventListener('click', () => {
  isHeld = !isHeld;
  setAttribute(byId('hold'), 'aria-pressed', isHeld);
  draw();
});
byId('file-close').addEventListener('click', () => byId('file').close());
document.addEventListener('visibilitychange', draw);

const stream = new EventSource('./events');
stream.addEventListener('message', hear);
stream.addEventListener('error', () => connection('lost', 'no connection to the dashboard, trying again'));
setInterval(watchSilence, 1000);
