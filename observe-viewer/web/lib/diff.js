/** One line of two texts side by side; `same` lines stand on both sides. @typedef {{ left: string | null, right: string | null, same: boolean }} Pair */

/** Beyond so many pairs of lines to compare, what lies between the equal ends counts as changed. */
const COMPARED = 1_000_000;

/**
 * The lines of two texts side by side, with as few as possible that differ.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Pair[]}
 */
export function sideBySide(before, after) {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const same = (/** @type {string} */ line) => ({ left: line, right: line, same: true });
  const middle = changed(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...a.slice(0, head).map(same), ...middle, ...a.slice(a.length - tail).map(same)];
}

/** @param {string[]} a @param {string[]} b @returns {Pair[]} */
function changed(a, b) {
  const kept = a.length * b.length > COMPARED ? [] : common(a, b);
  /** @type {Pair[]} */
  const pairs = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...kept, [a.length, b.length]]) {
    for (; i < x || j < y; i++, j++) {
      pairs.push({ left: i < x ? a[i] : null, right: j < y ? b[j] : null, same: false });
    }
    [i, j] = [x + 1, y + 1];
    if (x < a.length) pairs.push({ left: a[x], right: b[y], same: true });
  }
  return pairs;
}

/** The longest run of lines that both have in this order, as places in each. @param {string[]} a @param {string[]} b */
function common(a, b) {
  // longest[i][j]: lines in common from a[i] and b[j] on.
  const longest = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const places = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) places.push([i++, j++]);
    else if (longest[i + 1][j] >= longest[i][j + 1]) i++;
    else j++;
  }
  return places;
}

/**
 * The pairs within `around` lines of a change; a number stands for so many that were left out.
 *
 * @param {Pair[]} pairs
 * @param {number} around
 * @returns {(Pair | number)[]}
 */
export function nearChanges(pairs, around) {
  const near = pairs.map(() => false);
  pairs.forEach((pair, at) => !pair.same && near.fill(true, Math.max(0, at - around), at + around + 1));
  /** @type {(Pair | number)[]} */
  const shown = [];
  pairs.forEach((pair, at) => {
    const last = shown.at(-1);
    if (near[at]) shown.push(pair);
    else if (typeof last === "number") shown[shown.length - 1] = last + 1;
    else shown.push(1);
  });
  return shown;
}
