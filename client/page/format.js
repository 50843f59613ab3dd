/** Numbers and times for people. Whatever is not known is a dash. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
export const DASH = "–";

/** @param {any} value @returns {value is number} */
function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** @param {number | null | undefined} value */
export function count(value) {
  return isKnown(value) ? whole.format(value) : DASH;
}

/** @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (!isKnown(ms)) return DASH;
  if (ms >= 1_000) return duration(ms / 1000);
  return `${(ms > 0 && ms < 10 ? tenths : whole).format(ms)} ms`;
}

/** @param {number | null | undefined} value Events per second. */
export function rate(value) {
  if (!isKnown(value)) return DASH;
  return `${(value > 0 && value < 10 ? tenths : whole).format(value)}/s`;
}

/** @param {number | null | undefined} seconds @returns {string} Such as `8.6 s`, `42 s`, `3:05 min`, `2:10 h`. */
export function duration(seconds) {
  if (!isKnown(seconds)) return DASH;
  if (seconds < 60) return `${(seconds < 10 ? tenths : whole).format(seconds)} s`;
  return seconds < 3600 ? `${sixtieths(seconds)} min` : `${sixtieths(seconds / 60)} h`;
}

/** @param {number} value @returns {string} Sixties, and what is left of them in two digits. */
export function sixtieths(value) {
  return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
}

/** @param {string | null | undefined} iso @returns {string} The time of day, to the millisecond. */
export function timeOfDay(iso) {
  return iso ? clock.format(new Date(iso)) : DASH;
}

/** @param {string | null | undefined} iso */
export function dateAndTime(iso) {
  return iso ? minute.format(new Date(iso)) : DASH;
}

/** @param {string | null | undefined} iso @returns {string} The day, and the time to the millisecond. */
export function momentOf(iso) {
  return iso ? moment.format(new Date(iso)) : DASH;
}

/** @param {number} value @param {string} one @param {string} many */
export function plural(value, one, many) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** With a full stop, unless it ends like a sentence. @param {string} text */
export function sentence(text) {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** @param {string[]} names @returns {string} Such as `a, b and c`. */
export function listed(names) {
  return new Intl.ListFormat("en-GB").format(names);
}
