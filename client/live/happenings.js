/** What happened in a run, as the server keeps it: the same for every watcher, and still there after a reload. */

import { element, keep, make, setText } from "/client/page/dom.js";
import { sentence } from "/client/page/format.js";

/**
 * @typedef {object} Happening
 * @property {string} at
 * @property {"fault" | "observed"} kind Whether somebody did it, or instances saw it.
 * @property {string} text
 * @property {string | null} users Where those are listed whom it was about.
 */

/** What several instances see at about one time is one thing. */
const SAME_WITHIN_MS = 6_000;

/**
 * What is known, and what came with an event of the stream; something may come several times.
 *
 * @param {Happening[]} known
 * @param {Happening[]} more
 * @returns {Happening[]} In the order of time.
 */
export function merged(known, more) {
  if (more.length === 0) return known;
  const left = known.filter((one) => !more.some((other) => isSame(one, other)));
  return [...left, ...more].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** @param {Happening} one @param {Happening} other */
function isSame(one, other) {
  if (one.text !== other.text || one.kind !== other.kind) return false;
  const apart = Math.abs(Date.parse(one.at) - Date.parse(other.at));
  return one.kind === "fault" ? apart === 0 : apart <= SAME_WITHIN_MS;
}

/** Show them in this list. @param {Element} list @param {Happening[]} happenings */
export function listHappenings(list, happenings) {
  keep(list, happenings, ({ at, text }) => `${text} ${Date.parse(at)}`, makeHappening, () => {});
}

/** Show them in the live view. @param {Happening[]} happenings */
export function showHappenings(happenings) {
  listHappenings(element("happenings"), happenings);
  element("happenings-title").hidden = happenings.length === 0;
}

/** @param {Happening} happening */
function makeHappening({ at, kind, text, users }) {
  const item = make("li", { class: kind }, make("time", { datetime: at }, new Date(at).toLocaleTimeString("en-GB")), " ", sentence(text));
  if (users?.startsWith("/?")) item.append(" ", make("a", { href: users }, "Look at them"));
  return item;
}
