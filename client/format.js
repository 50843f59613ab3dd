/** Numbers for people. Whatever is not known is a dash. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const DASH = "–";

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** @param {number} ms Shown in seconds. */
export function seconds(ms) {
  return Number.isFinite(ms) ? `${tenths.format(ms / 1000)} s` : DASH;
}

/** @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return DASH;
  return `${(ms < 10 ? tenths : whole).format(ms)} ms`;
}

/** @param {number} events @param {number} ms In how many milliseconds. @returns {string} Such as `251/s`. */
export function perSecond(events, ms) {
  return events > 0 && ms > 0 ? `${whole.format((events * 1000) / ms)}/s` : DASH;
}

/** @param {number} value @param {string} one @param {string} many */
export function plural(value, one, many) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
