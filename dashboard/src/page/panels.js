// What stands below the flow.

import { byId, element, format, keep, setAttribute, setText } from './text.js';

export function showOverview(snapshot) {
  const sender = snapshot.programs.find((program) => program.name === 'json-to-api');
  const waiting = snapshot.programs.reduce((sum, program) => sum + (program.waiting ?? 0), 0);
  const rejected = snapshot.programs.reduce((sum, program) => sum + (program.rejected_files ?? 0), 0);
  const figures = [
    ['Documents a second', format.rate(sender.rate), ''],
    ['Documents delivered', format.count(sender.records_ok), 'since the pods began, in whole batches'],
    ['Files waiting', format.count(waiting), 'at all stages'],
    ['Files rejected', format.count(rejected), rejected > 0 ? 'see below' : 'none'],
    ['Documents paused', format.count(snapshot.recent.paused), nextAttempt(snapshot.recent)],
  ];
  if (snapshot.volume.free_bytes != null) figures.push(['Free on the volume', format.bytes(snapshot.volume.free_bytes), '']);
  const make = ([label]) => element('div', {}, element('dt', {}, label), element('dd'), element('dd', { name: 'quiet' }));
  keep(byId('overview'), figures, ([label]) => label, make, (figure, [, value, note]) => {
    setText(figure.children[1], value);
    setText(figure.children[2], note);
  });
  const problem = snapshot.volume.problem;
  byId('problem').hidden = !problem;
  setText(byId('problem'), problem ? `The volume: ${problem}` : '');
}

function nextAttempt(recent) {
  if (recent.paused === 0 || recent.next_attempt_seconds == null) return 'none waits for another attempt';
  return `the next attempt in ${format.seconds(recent.next_attempt_seconds)}`;
}

const makeBar = () =>
  element(
    'li',
    {},
    element('span', { name: 'bar-name' }),
    element('span', { name: 'bar-value' }),
    element('span', { name: 'bar', 'aria-hidden': 'true' }, element('span')),
  );

function updateBar(bar, name, value, share) {
  setText(bar.children[0], name);
  setText(bar.children[1], value);
  bar.children[2].firstChild.style.setProperty('--share', Math.min(Math.max(share, 0), 1).toFixed(3));
}

export function showShares(snapshot) {
  const most = Math.max(...snapshot.api.map((pod) => pod.share), 1e-9);
  const names = snapshot.api.map((pod) => pod.pod);
  const nameOf = ({ pod, address }) => (names.indexOf(pod) === names.lastIndexOf(pod) ? pod : `${pod} (${address})`);
  keep(byId('shares'), snapshot.api, (pod) => pod.address, makeBar, (bar, pod) => {
    setAttribute(bar, 'data-up', pod.is_up);
    const down = pod.is_up ? '' : ', does not answer';
    updateBar(bar, nameOf(pod), `${format.share(pod.share)}, ${format.short(pod.requests)} in all${down}`, pod.share / most);
  });
  const span = format.seconds(60 * snapshot.interval_seconds);
  setText(byId('shares-note'), snapshot.api.length > 0 ? `Shares of the last ${span}.` : 'No pod of the api has answered yet.');
}

export function showAges(snapshot) {
  const { ages } = snapshot;
  const rows = ages
    ? [['half of them', ages.p50], ['95 %', ages.p95], ['99 %', ages.p99]]
    : [];
  keep(byId('ages'), rows, ([name]) => name, makeBar, (bar, [name, seconds]) => {
    updateBar(bar, name, `within ${format.seconds(seconds)}`, ages.p99 > 0 ? seconds / ages.p99 : 0);
  });
  const span = format.seconds(60 * snapshot.interval_seconds);
  const none = `No document was answered in the last ${span}, or the pods do not tell ages.`;
  setText(byId('ages-note'), ages ? `${format.plural(ages.documents, 'document')} of the last ${span}.` : none);
}

const KINDS = { retry: 'tried again', misconfigured: 'set-up', rejected: 'rejected' };

export function showTrouble(snapshot) {
  const { posts, recent } = snapshot;
  const others = posts.by_status.filter(([status]) => !status.startsWith('2') && status !== '0');
  const statuses = others.filter(([, count]) => count > 0).map(([status, count]) => `${format.count(count)} × ${status}`);
  const said = [
    `${format.plural(posts.retries, 'retry', 'retries')} in all, ${format.rate(posts.retries_per_second)} a second now.`,
    statuses.length > 0 ? `Answers other than success: ${statuses.join(', ')}.` : '',
    recent.paused > 0 ? `${format.plural(recent.paused, 'document')} paused, ${nextAttempt(recent)}.` : 'No document is paused.',
  ];
  setText(byId('trouble-note'), said.filter(Boolean).join(' '));
  const make = () => element('li', {}, element('span', { name: 'kind' }), element('bdi'), element('span', { name: 'quiet' }));
  keep(byId('reasons'), recent.reasons, (reason) => `${reason.kind} ${reason.reason}`, make, (item, reason) => {
    setAttribute(item, 'data-kind', reason.kind);
    setText(item.children[0], KINDS[reason.kind] ?? reason.kind);
    setText(item.children[1], reason.reason);
    setText(item.children[2], `${format.plural(reason.count, 'time')}, last at ${format.time(reason.last)}`);
  });
}

export function showDocuments(snapshot) {
  const { documents } = snapshot.recent;
  const make = () =>
    element('li', {}, element('time', { name: 'quiet' }), element('code', { name: 'document', dir: 'ltr' }), element('code', { name: 'reply', dir: 'ltr' }));
  keep(byId('documents'), documents, (one, place) => place, make, (item, one) => {
    setText(item.children[0], format.time(one.at));
    setText(item.children[1], one.document);
    setText(item.children[2], one.reply);
  });
  const note = 'Samples, a few a second at most, the newest first.';
  const none = 'None yet, or json-to-api does not print documents (--log-docs).';
  setText(byId('documents-note'), documents.length > 0 ? note : none);
}

export function showRejected(snapshot, act) {
  const make = (file) => {
    const item = element('li', {}, element('bdi', { name: 'file-name' }), element('span', { name: 'quiet' }));
    setText(item.children[0], file.name);
    if (snapshot.allow_actions) item.append(actions(file, act));
    return item;
  };
  const keyOf = (file) => `${snapshot.allow_actions} ${file.name}`;
  keep(byId('rejected'), snapshot.rejected, keyOf, make, (item, file) => {
    const at = new Date(file.modified).toLocaleString('en-GB');
    setText(item.children[1], `by ${file.stage}, ${format.bytes(file.bytes)}, ${at}`);
  });
  const all = snapshot.programs.reduce((sum, program) => sum + (program.rejected_files ?? 0), 0);
  const locked = 'They can be read, downloaded and sent again where the dashboard runs with --allow-actions.';
  const more = all > snapshot.rejected.length ? ` The newest ${snapshot.rejected.length} of ${format.count(all)}.` : '';
  setText(byId('rejected-note'), all === 0 ? 'None.' : `${snapshot.allow_actions ? '' : locked}${more}`.trim());
}

function actions(file, act) {
  const button = (label, action) => {
    const made = element('button', { type: 'button', 'aria-label': `${label} ${file.name}` }, label);
    made.addEventListener('click', () => action(file));
    return made;
  };
  const path = `./rejected/${encodeURIComponent(file.name)}/download`;
  const download = element('a', { href: path, download: file.name, 'aria-label': `Download ${file.name}` }, 'Download');
  return element('span', { name: 'actions' }, button('Read', act.read), download, button('Send again', act.sendAgain));
}
