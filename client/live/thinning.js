/** Fewer points for the same picture: a chart of a few hundred pixels cannot show an hour of seconds. */

/** @typedef {import("/client/live/history.js").Rates} Rates */
/** @typedef {import("/client/live/chart.js").Series["key"]} Key */

/**
 * Of each stretch of time as wide as a column, keep the lowest and the highest point, lest peaks and standstills vanish.
 * A point without a value is kept too: it ends the line.
 *
 * @param {Rates[]} points In order of time.
 * @param {Key} key What is looked at.
 * @param {number} columns
 * @returns {Rates[]} In order of time; some two for each column. All of them, where they are no more than that.
 */
export function thinned(points, key, columns) {
  if (points.length <= 2 * columns) return points;
  const start = points[0].at;
  const width = (points[points.length - 1].at - start) / columns || 1;
  const columnOf = (/** @type {Rates} */ point) => Math.floor((point.at - start) / width);
  /** @type {Rates[]} */
  const kept = [];
  for (let from = 0, to = 0; from < points.length; from = to) {
    while (to < points.length && columnOf(points[to]) === columnOf(points[from])) to += 1;
    kept.push(...extremesOf(points, key, from, to));
  }
  return kept;
}

/** @param {Rates[]} points @param {Key} key @param {number} from @param {number} to @returns {Rates[]} */
function extremesOf(points, key, from, to) {
  let [low, high, hole] = [from, from, -1];
  for (let at = from; at < to; at += 1) {
    const value = points[at][key];
    if (value === null) hole = at;
    else if (value < (points[low][key] ?? Infinity)) low = at;
    if (value !== null && value > (points[high][key] ?? -Infinity)) high = at;
  }
  return [...new Set([low, high, hole])].filter((at) => at >= 0).sort((one, other) => one - other).map((at) => points[at]);
}
