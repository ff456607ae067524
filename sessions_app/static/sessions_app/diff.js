/**
 * What two texts differ in, line by line.
 *
 * The shortest way from one to the other is looked for as in E. Myers, "An O(ND) Difference Algorithm and Its
 * Variations" (1986). Of texts that differ in very much, everything between their common ends is exchanged.
 */
const CONTEXT = 3;
const MOST_EDITS = 1500;
const SAME = "same";
const REMOVED = "removed";
const ADDED = "added";

/**
 * Rows of `kind` (`same`, `removed`, `added`) with the line's `text`, ended by its line feed unless the file ends
 * without one, and its numbers `before` and `after`; `gap` stands for `count` lines that are the same. A text that
 * does not exist is null.
 */
export function difference(before, after) {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  const kinds = kindsOf(old, fresh);
  const near = nearChanges(kinds);
  const rows = [];
  let [x, y] = [0, 0];
  kinds.forEach((kind, index) => {
    const text = kind === ADDED ? fresh[y] : old[x];
    if (kind !== ADDED) x += 1;
    if (kind !== REMOVED) y += 1;
    if (near[index]) {
      rows.push({ kind, text, before: kind === ADDED ? "" : x, after: kind === REMOVED ? "" : y });
    } else if (rows.at(-1)?.kind === "gap") rows.at(-1).count += 1;
    else rows.push({ kind: "gap", count: 1 });
  });
  return { rows, added: count(kinds, ADDED), removed: count(kinds, REMOVED) };
}

function linesOf(text) {
  return text?.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

function count(kinds, wanted) {
  return kinds.reduce((sum, kind) => sum + (kind === wanted), 0);
}

function nearChanges(kinds) {
  const near = new Uint8Array(kinds.length);
  kinds.forEach((kind, index) => {
    if (kind !== SAME) near.fill(1, Math.max(0, index - CONTEXT), index + CONTEXT + 1);
  });
  return near;
}

function kindsOf(old, fresh) {
  const most = Math.min(old.length, fresh.length);
  let head = 0;
  while (head < most && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;
  const [a, b] = numbered(old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail));
  const between = shortest(a, b) ?? [...Array(a.length).fill(REMOVED), ...Array(b.length).fill(ADDED)];
  return [...Array(head).fill(SAME), ...between, ...Array(tail).fill(SAME)];
}

/** The same lines have the same number: comparing these is cheap. */
function numbered(...texts) {
  const numbers = new Map();
  const numberOf = (line) => numbers.get(line) ?? (numbers.set(line, numbers.size), numbers.size - 1);
  return texts.map((lines) => Int32Array.from(lines, numberOf));
}

/** The kinds of all lines of the shortest edit; null when it has too many steps. */
function shortest(a, b) {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const middle = most + 1;
  const reach = new Int32Array(2 * most + 3);
  const trace = [];
  for (let steps = 0; steps <= most; steps += 1) {
    trace.push(reach.slice(middle - steps, middle + steps + 1));
    for (let k = -steps; k <= steps; k += 2) {
      let x = goesDown(reach, middle, k, steps) ? reach[middle + k + 1] : reach[middle + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return wayBack(trace, a.length, b.length);
    }
  }
  return null;
}

function goesDown(reach, middle, k, steps) {
  return k === -steps || (k !== steps && reach[middle + k - 1] < reach[middle + k + 1]);
}

function wayBack(trace, width, height) {
  const kinds = [];
  let [x, y] = [width, height];
  for (let steps = trace.length - 1; steps > 0; steps -= 1) {
    const reach = trace[steps];
    const isDown = goesDown(reach, steps, x - y, steps);
    const from = isDown ? x - y + 1 : x - y - 1;
    const start = reach[from + steps];
    for (; x > start && y > start - from; x -= 1, y -= 1) kinds.push(SAME);
    kinds.push(isDown ? ADDED : REMOVED);
    [x, y] = [start, start - from];
  }
  for (; x > 0; x -= 1) kinds.push(SAME);
  return kinds.reverse();
}
