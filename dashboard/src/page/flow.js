// The flow as a picture: a card for each program, and between two of them the pipe with the files that wait in it.

import { drawing, element, format, keep, setAttribute, setText } from './text.js';

const STATES = {
  unknown: 'seen on the volume only',
  stopped: 'stopped',
  trouble: 'in trouble',
  working: 'working',
  idle: 'idle',
};
const WIDTH = 300;
const HEIGHT = 48;
// More are a number.
const FILES = 4;

export const stateOf = (program) => STATES[program.state] ?? program.state;

export function showFlow(list, snapshot) {
  keep(list, snapshot.programs, (program) => program.name, makeStage, (stage, program, place) => {
    update(stage, program, snapshot.programs[place - 1], snapshot);
  });
}

function makeStage(program) {
  const figure = (label) => element('div', {}, element('dt', {}, label), element('dd'));
  const line = drawing('path', { class: 'line', 'vector-effect': 'non-scaling-stroke' });
  const spark = drawing(
    'svg',
    { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' },
    drawing('path', { class: 'area' }),
    line,
  );
  const figures = program.input ? ['waiting', 'in hand', 'rejected'] : program.output ? ['in hand'] : ['pods'];
  return element(
    'li',
    { name: 'stage' },
    element('div', { name: 'pipe' }, element('span', { name: 'files', 'aria-hidden': 'true' }), element('span', { name: 'label' })),
    element(
      'article',
      { name: 'card' },
      element('h3', {}, program.name),
      element('p', { name: 'state' }, element('span', { name: 'dot', 'aria-hidden': 'true' }), element('span')),
      element('p', { name: 'rate' }, element('strong'), ' ', element('span')),
      spark,
      element('dl', { name: 'figures' }, ...figures.map(figure)),
      element('p', { name: 'reason' }),
    ),
  );
}

function update(stage, program, before, snapshot) {
  const part = (selector) => stage.querySelector(selector);
  setAttribute(stage, 'data-state', program.state);
  const pods = program.pods > 1 ? `, ${program.pods_up} of ${program.pods} pods` : '';
  setText(part('.state span:last-child'), stateOf(program) + pods);
  setText(part('.reason'), program.reason ?? detail(program));
  const isAsked = program.state !== 'unknown';
  const unit = program.name === 'api' ? 'requests/s' : program.output ? 'records/s' : 'documents/s';
  part('.rate').hidden = !isAsked;
  setText(part('.rate strong'), format.rate(program.rate));
  setText(part('.rate span'), unit);
  drawSpark(part('.spark'), program, unit, snapshot.interval_seconds);
  part('.spark').toggleAttribute('hidden', !isAsked);
  const values = [...stage.querySelectorAll('.figures dd')];
  const figures = program.input
    ? [program.waiting, program.in_hand, program.rejected_files]
    : [program.output ? program.in_hand : program.pods_up];
  values.forEach((value, place) => setText(value, figures[place] == null ? '–' : format.count(figures[place])));
  setAttribute(values.at(-1).parentElement, 'data-alarm', Boolean(program.input && program.rejected_files > 0));
  updatePipe(part('.pipe'), program, before);
}

function detail(program) {
  const said = [];
  if (program.oldest_waiting_seconds > 0) said.push(`oldest waits ${format.seconds(program.oldest_waiting_seconds)}`);
  if (program.in_hand > 0 && program.oldest_in_hand_seconds != null) {
    said.push(`in hand for ${format.seconds(program.oldest_in_hand_seconds)}`);
  }
  if (program.resting > 0) said.push(`${format.plural(program.resting, 'batch', 'batches')} rest`);
  if (said.length === 0 && program.total > 0) said.push(`${format.count(program.total)} in all`);
  return said.join(', ');
}

function updatePipe(pipe, program, before) {
  pipe.hidden = !before;
  if (!before) return;
  const isFlowing = program.rate > 0 && program.state !== 'stopped';
  setAttribute(pipe, 'data-flowing', isFlowing);
  // A hundred thousand a second are about four times as quick as ten.
  const duration = isFlowing ? 2.4 / (1 + Math.log10(1 + program.rate)) : 1;
  pipe.style.setProperty('--duration', `${duration.toFixed(1)}s`);
  const waiting = program.waiting ?? 0;
  const drawn = Math.min(waiting, FILES);
  const files = pipe.querySelector('.files');
  while (files.children.length > drawn) files.lastChild.remove();
  while (files.children.length < drawn) files.append(element('i'));
  const label = program.input ? `.${program.input}` : 'POST';
  setText(pipe.querySelector('.label'), waiting > 0 ? `${format.short(waiting)} × ${label}` : label);
}

function drawSpark(spark, program, unit, interval) {
  const rates = program.rates;
  const most = Math.max(...rates, 1);
  const step = WIDTH / 299;
  const start = WIDTH - (rates.length - 1) * step;
  const points = rates.map((rate, place) => {
    const x = start + place * step;
    const y = HEIGHT - 2 - (rate / most) * (HEIGHT - 6);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = points.length > 0 ? `M${points.join('L')}` : '';
  setAttribute(spark.children[1], 'd', line);
  setAttribute(spark.children[0], 'd', line && `${line}V${HEIGHT}H${start.toFixed(1)}Z`);
  const span = format.seconds(Math.max(rates.length - 1, 0) * interval);
  const peak = rates.length > 0 ? Math.max(...rates) : 0;
  setAttribute(spark, 'aria-label', `${unit} over the last ${span}: ${format.rate(peak)} at most`);
}
