/** One sentence on how far the run is, and on what stands in its way. */

import { ratesNow } from "/client/live/history.js";
import * as format from "/client/page/format.js";
import { counted, kind } from "/client/page/kinds.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/feed.js").Connection} Connection */
/** @typedef {import("/client/live/history.js").Point} Point */
/** @typedef {import("/client/generate/controls.js").Expectation} Expectation */

/**
 * @param {Connection} connection
 * @param {Sample | null} sample The last one.
 * @param {Point[]} history
 * @param {Expectation} expectation
 */
export function progressOf(connection, sample, history, expectation) {
  const broken = connection.reason;
  if (!sample || !isKnown(sample)) return broken || (sample ? "PostgreSQL is down, so nothing is known yet." : "Asking how far it is…");
  if (broken) return `${broken} ${asOf(sample)}`;
  if (sample.databases.postgresql === "down") return `${isStalled(sample, history) ? stalled(sample) : "PostgreSQL is down."} ${asOf(sample)}`;
  if (sample.stages.accepted === 0) return nothing(expectation);
  if (isStalled(sample, history)) return stalled(sample);
  return howFar(sample, expectation);
}

/** Whether its numbers were counted: a zero that nobody could ask for says nothing. @param {Sample} sample */
export function isKnown({ at }) {
  return at !== null;
}

/** Whether users wait, and none arrives: at once where a database is down, else after seconds. @param {Sample} sample @param {Point[]} history */
export function isStalled(sample, history) {
  if (sample.pending === 0) return false;
  if (sample.databases.postgresql === "down") return true;
  const [before, last] = history.slice(-2);
  if (sample.databases.mongodb === "down" && last && before[4] === last[4]) return true;
  return isOld(sample) && ratesNow(history, sample).synchronized === 0;
}

/** Whoever has waited for less has just come. @param {Sample} sample */
function isOld({ oldestPendingSeconds, oldestPendingOfAllSeconds }) {
  return (oldestPendingSeconds ?? oldestPendingOfAllSeconds ?? 0) > 2;
}

/** @param {Sample} sample */
function stalled(sample) {
  const { pending, oldestPendingSeconds } = sample;
  const waiting = `${counted(pending, " is", " are")} waiting`;
  const oldest = isOld(sample) && oldestPendingSeconds !== null ? `, the oldest for ${format.duration(oldestPendingSeconds)}` : "";
  return `Stalled: ${cause(sample)}${waiting}${oldest}.`;
}

/** @param {Sample} sample */
function cause({ databases, instances }) {
  const down = [databases.postgresql === "down" ? "PostgreSQL" : "", databases.mongodb === "down" ? "MongoDB" : ""].filter(Boolean);
  if (down.length) return `${format.listed(down)} ${down.length === 1 ? "is" : "are"} down, `;
  const out = instances.filter(({ state, pending }) => pending > 0 && (state === "gone" || state === "silent"));
  return out.length ? `${format.listed(out.map(({ appId, state }) => `${appId} is ${state}`))}, ` : "";
}

/** @param {Sample} sample */
function asOf({ at }) {
  return `The numbers are those of ${format.timeOfDay(at).slice(0, 8)}.`;
}

/** @param {Expectation} expectation */
function nothing({ users, isSending }) {
  if (isSending) return `The first ${kind().plural} are on their way. Numbers come once a second.`;
  return users > 0 ? `None of the ${counted(users)} that were wanted has come.` : "Nothing has been sent yet.";
}

/** @param {Sample} sample @param {Expectation} expectation */
function howFar(sample, { users, isSending }) {
  const { stages, deadLetters, oldestPendingSeconds } = sample;
  const { accepted, stored, synchronized } = stages;
  const all = Math.max(users, accepted);
  if (all <= synchronized + deadLetters) return allDone(stored, deadLetters, users > 0);
  const oldest = isOld(sample) && oldestPendingSeconds !== null ? `; the oldest has waited ${format.duration(oldestPendingSeconds)}` : "";
  const rest = !isSending && users > accepted ? " This page does not send the rest." : "";
  return `${format.count(synchronized)} of ${format.count(all)} are in both databases${oldest}.${rest}`;
}

/** Who only watches does not know whether more are to come. @param {number} stored @param {number} deadLetters @param {boolean} isKnown */
function allDone(stored, deadLetters, isKnown) {
  const users = isKnown ? counted(stored, " is", " are") : `${counted(stored)} sent so far ${stored === 1 ? "is" : "are"}`;
  if (deadLetters === 0) return `${stored === 1 ? "The" : "All"} ${users} in both databases.`;
  return `${format.count(stored - deadLetters)} of ${users} in both databases; MongoDB refused ${format.count(deadLetters)}.`;
}
