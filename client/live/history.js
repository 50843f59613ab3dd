/** What a run's samples say together: rates, what is still to come, and the stretch of time worth drawing. */

/** @typedef {[atSeconds: number, accepted: number, stored: number, projected: number, synchronized: number, lagMs: number | null, oldestMs: number | null]} Point */
/** @typedef {{ at: number, accepted: number, synchronized: number, lagMs: number | null, oldestMs: number | null }} Rates At a time in seconds; users per second. */
/** @typedef {import("/client/live/feed.js").Sample} Sample */

/** An hour in which something happened. Of what nobody watched, the server keeps ten minutes. */
const MAX_POINTS = 3_600;
/** A run is continued when nothing has happened for longer than this: only what came after is drawn. */
const MAX_GAP_SECONDS = 60;
/** A rate is a mean over so long: one second alone jumps too much to be read. */
const RATE_SECONDS = 3;

/** Where the four counts are in a point. */
const COUNTS = /** @type {const} */ ([1, 2, 3, 4]);
/** @type {Point} */
const NOTHING = [0, 0, 0, 0, 0, null, null];

/**
 * Append a sample. Of a time in which nothing changes only the two ends are kept, as the server does it: a wait grows
 * evenly in between.
 *
 * @param {Point[]} history
 * @param {Sample} sample
 * @returns {Point[]}
 */
export function addSample(history, { at, stages, lagMs, pending, oldestPendingSeconds }) {
  if (at === null) return history;
  const { accepted, stored, projected, synchronized } = stages;
  /** @type {Point} */
  const point = [Date.parse(at) / 1000, accepted, stored, projected, synchronized, lagMs.now, pending === 0 ? 0 : msOf(oldestPendingSeconds)];
  const last = history.at(-1);
  if (last && last[0] >= point[0]) return history;
  return [...(isAtRest([...history, point]) ? history.slice(0, -1) : history), point].slice(-MAX_POINTS);
}

/** @param {Point[]} history @returns {Point[]} The last stretch in which things went on. */
export function lastStretch(history) {
  let end = history.length;
  while (end > 1 && !history[end - 1][6] && isSame(history[end - 1], history[end - 2])) end -= 1;
  let start = end - 1;
  while (start > 0 && isContinued(history[start - 1], history[start])) start -= 1;
  return history.slice(Math.max(0, start), end);
}

/** @param {Point[]} points @returns {Rates[]} Users per second from point to point: one for each but the first. */
export function ratesOf(points) {
  return points.slice(1).map((point, index) => {
    const before = points[index];
    const seconds = Math.max(point[0] - before[0], 0.5);
    return { at: point[0], accepted: rateOf(before[1], point[1], seconds), synchronized: rateOf(before[4], point[4], seconds), lagMs: point[5], oldestMs: point[6] ?? null };
  });
}

/**
 * The rates just now: none any more once all has arrived and nothing more has come.
 *
 * @param {Point[]} history
 * @param {Sample} sample The last one, whether or not it is in the history.
 * @returns {{ accepted: number, stored: number, projected: number, synchronized: number }} Users per second.
 */
export function ratesNow(history, { at, stages, pending }) {
  if (pending === 0 && stages.accepted === stages.stored && isResting(history)) return { accepted: 0, stored: 0, projected: 0, synchronized: 0 };
  const now = at === null ? 0 : Date.parse(at) / 1000;
  const last = history.at(-1) ?? NOTHING;
  const then = history.findLast((point) => point[0] <= now - RATE_SECONDS) ?? history[0] ?? NOTHING;
  const seconds = Math.max(1, Math.min(RATE_SECONDS, now - (history[0]?.[0] ?? now)));
  const [accepted, stored, projected, synchronized] = COUNTS.map((at) => rateOf(then[at], last[at], seconds));
  return { accepted, stored, projected, synchronized };
}

/** A user that is changed is on its way again: counts may fall, and rates do not. @param {number} before @param {number} now @param {number} seconds */
function rateOf(before, now, seconds) {
  return Math.max(0, now - before) / seconds;
}

/** Whether nothing changed over the last three points. @param {Point[]} history */
function isAtRest(history) {
  const [one, other, last] = history.slice(-3);
  return last !== undefined && isSame(one, other) && isSame(other, last);
}

/** Whether nothing changed with the last point. @param {Point[]} history */
function isResting(history) {
  const [before, last] = history.slice(-2);
  return last !== undefined && isSame(before, last);
}

/** Equal counts, and somebody waits at both or at none. @param {Point} one @param {Point} other */
function isSame(one, other) {
  return COUNTS.every((at) => one[at] === other[at]) && !one[6] === !other[6];
}

/** A wait, however long, is no pause between two runs. @param {Point} before @param {Point} point */
function isContinued(before, point) {
  return point[0] - before[0] <= MAX_GAP_SECONDS || Boolean(before[6] && point[6]);
}

/** @param {number | null} seconds */
function msOf(seconds) {
  return seconds === null ? null : seconds * 1000;
}
