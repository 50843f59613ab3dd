/** What one of the two databases says of a user. A side that did not answer has said nothing: that is no absence. */

import { RequestError, ask, refusal } from "/client/page/http.js";

/**
 * @typedef {object} Side
 * @property {"asking" | "found" | "gone" | "absent" | "failed" | "unfit"} state `gone`: deleted. `unfit`: nobody can have such an id.
 * @property {any} found What is there; null unless `found`.
 * @property {number} version The last one that this side knows; 0 where it knows none.
 * @property {any[]} events What PostgreSQL knows to have happened, in order, also to users that are gone.
 * @property {string} problem Why it is not known, as a sentence; empty unless `failed`.
 */
/** @typedef {{ rows: Side, document: Side }} Sides PostgreSQL's and MongoDB's. */

const TIMEOUT_MS = 15_000;

/** @type {Side} */
export const ASKING = { state: "asking", found: null, version: 0, events: [], problem: "" };

/** @param {string} id */
export const rowsUrl = (id) => `/api/v1/user-command/${encodeURIComponent(id)}`;

/** @param {string} id */
export const documentUrl = (id) => `/api/v1/user-query/${encodeURIComponent(id)}`;

/**
 * One side may be away while the other answers: each is asked for itself.
 *
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Side>}
 */
export async function fetchSide(url, signal) {
  try {
    const answer = await ask(url, { signal, timeoutMs: TIMEOUT_MS });
    if (answer.status === 200 && answer.body) return foundSide(answer.body);
    if (answer.status === 410 && answer.body?.events) return { ...ASKING, state: "gone", version: answer.body.version, events: answer.body.events };
    if (answer.status === 404) return { ...ASKING, state: "absent" };
    if (answer.status === 400) return { ...ASKING, state: "unfit" };
    return failed(refusal(answer));
  } catch (error) {
    return error instanceof RequestError ? failed(error) : ASKING; // who went elsewhere asks no more
  }
}

/** @param {any} found @returns {Side} */
export function foundSide(found) {
  return { state: "found", found, version: found.version ?? 0, events: found.events ?? [], problem: "" };
}

/** @param {RequestError} error @returns {Side} */
function failed(error) {
  return { ...ASKING, state: "failed", problem: error.sentence };
}

/** The events that changed the user. The others only say what MongoDB has acknowledged. @param {Side} rows @returns {any[]} */
export function changesOf({ events }) {
  return events.filter(({ eventType }) => eventType !== "SYNCRONIZED");
}

/** The event by which MongoDB's acknowledgement of a version was recorded. @param {Side} rows @param {number} version @returns {any} */
export function acknowledgementOf({ events }, version) {
  return events.find((event) => event.eventType === "SYNCRONIZED" && event.version === version);
}

/** @param {Side} rows Whether nothing is left of the person, not even in the history. */
export function isErased(rows) {
  return changesOf(rows).at(-1)?.eventType === "ERASED";
}

/** Whether readers get an earlier state than PostgreSQL has. @param {Sides} sides */
export function isBehind({ rows, document }) {
  if (rows.state === "gone") return document.state === "found";
  return rows.state === "found" && (document.state === "found" ? document.version < rows.version : document.state === "absent");
}

/** Whether PostgreSQL is about to hear from MongoDB of its last version; both have answered. @param {Sides} sides */
export function isUnacknowledged({ rows, document }) {
  const isKnown = (rows.state === "found" || rows.state === "gone") && (document.state === "found" || document.state === "absent");
  return isKnown && !acknowledgementOf(rows, rows.version);
}
