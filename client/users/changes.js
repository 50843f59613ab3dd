/** What is drawn of a user's history: all events, and one version field by field. */

import { element, keep, make, setText } from "/client/page/dom.js";
import { milliseconds, momentOf, plural } from "/client/page/format.js";
import { acknowledgementOf } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Side} Side */
/** @typedef {import("/client/users/versions.js").Subject} Subject */
/** @typedef {import("/client/users/difference.js").Difference} Difference */

/** A user may have been changed thousands of times; the slider reaches every version. */
const MAX_EVENTS = 200;
/** Where more fields are of one kind, their number says more than their names. */
const MAX_NAMED = 6;

/** @param {Subject} of @param {Side} rows @param {number} chosen The version that is looked at. */
export function showEvents(of, { events }, chosen) {
  const shown = events.slice(-MAX_EVENTS);
  setText("events-words", events.length > MAX_EVENTS ? `The newest ${MAX_EVENTS} of ${plural(events.length, "event", "events")}.` : "");
  keep(element("events"), shown, ({ eventType, version }) => `${of.rowsUrl} ${eventType} ${version}`, (event) => makeEvent(of, event), (item, { version, eventType }) => {
    const isChosen = version === chosen && eventType !== "SYNCRONIZED";
    item.firstChild.ariaCurrent = isChosen ? "true" : null;
  });
}

/** @param {Subject} of @param {any} event */
function makeEvent(of, { version, eventType, createdAt, appId }) {
  const name = `version ${version}`;
  const where = eventType === "SYNCRONIZED" ? make("span", {}, name) : make("a", { href: of.address(String(version)), "data-version": version }, name);
  return make("li", {}, where, make("code", {}, eventType), make("small", {}, `${momentOf(createdAt)}, ${appId}`));
}

/** When and by whom a version was written, and whether MongoDB has it. @param {any} change Its event. @param {Side} rows @returns {string} */
export function originOf({ version, eventType, createdAt, appId }, rows) {
  const synchronized = acknowledgementOf(rows, version);
  const lag = synchronized && milliseconds(Date.parse(synchronized.createdAt) - Date.parse(createdAt));
  const missing = version < rows.version ? "MongoDB went on with a later version" : "No SYNCRONIZED of it so far";
  return `${eventType} on ${momentOf(createdAt)} by ${appId}. ${synchronized ? `SYNCRONIZED ${lag} later by ${synchronized.appId}` : missing}.`;
}

/** @param {Difference[]} differences @returns {string} In words: which fields became what. */
export function summaryOf(differences) {
  const named = (/** @type {string} */ kind) => {
    const names = differences.filter((each) => each.kind === kind.toLowerCase()).map(({ name }) => name);
    return names.length > 0 && `${kind}: ${names.length > MAX_NAMED ? plural(names.length, "field", "fields") : names.join(", ")}.`;
  };
  return ["Changed", "Added", "Removed"].map(named).filter(Boolean).join(" ");
}

/** Marked by a word, a sign and a colour. @param {Difference[]} differences */
export function showDifferences(differences) {
  element("differences").replaceChildren(...differences.map(makeDifference));
}

/** @param {Difference} difference */
function makeDifference({ name, kind, before, after }) {
  const mark = kind !== "same" && make("b", { class: "mark" }, kind);
  const old = (kind === "changed" || kind === "removed") && make("del", {}, make("span", { class: "unseen" }, "was "), before);
  const now = kind !== "removed" && make(kind === "same" ? "span" : "ins", {}, after);
  return make("div", { "data-kind": kind }, make("dt", {}, name), make("dd", {}, mark, old, now));
}
