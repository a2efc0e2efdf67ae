// Elements and texts. What others wrote becomes text and never markup: only textContent and attributes of ours are set.

// Characters that steer a terminal or turn the direction of a text, and those that nobody sees.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export const byId = (id) => document.getElementById(id);

export function shown(text) {
  return String(text).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function element(tag, { name, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Nothing is drawn anew, nor read out again, that says what it said before.
export function setText(node, text) {
  const next = shown(text);
  if (node.textContent !== next) node.textContent = next;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Keeps an element for each item by its key, in the items' order, so that focus stays where it is.
export function keep(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const kept = new Set();
  items.forEach((item, place) => {
    const key = String(keyOf(item, place));
    let child = known.get(key);
    if (!child || kept.has(child)) {
      child = make(item);
      child.dataset.key = key;
    }
    kept.add(child);
    update(child, item, place);
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

export const format = {
  count: (value) => whole.format(value),
  short: (value) => (value < 100_000 ? whole.format(value) : short.format(value)),
  rate: (value) => (value < 100 ? tenths : whole).format(value),
  share: (value) => percent.format(value),
  bytes(value) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit += 1;
    }
    return `${tenths.format(value)} ${units[unit]}`;
  },
  seconds(value) {
    if (value < 1) return `${whole.format(value * 1000)} ms`;
    if (value < 120) return `${tenths.format(value)} s`;
    if (value < 7200) return `${whole.format(value / 60)} min`;
    return `${tenths.format(value / 3600)} h`;
  },
  time: (milliseconds) => new Date(milliseconds).toLocaleTimeString('en-GB'),
  plural: (count, one, many = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : many}`,
};
