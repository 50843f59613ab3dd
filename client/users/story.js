/** What happened to a user last, in order, for people who have never heard of CQRS. */

import { milliseconds, timeOfDay } from "/client/page/format.js";
import { acknowledgementOf, changesOf } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */
/** @typedef {import("/client/users/side.js").Side} Side */
/** @typedef {{ when: string, what: string }} Step */

/** What each kind of change began with, and what it did in PostgreSQL; then what its event makes an instance do. */
const CHANGES = /** @type {Record<string, [request: string, did: string, brings: string]>} */ ({
  CREATED: ["A POST", "wrote the user to PostgreSQL", "write the user to MongoDB, as one document"],
  UPDATED: ["A PATCH", "wrote the change to PostgreSQL", "write the whole user to MongoDB again, as one document"],
  DELETED: ["A DELETE", "marked the user in PostgreSQL as deleted", "take the document out of MongoDB"],
  ERASED: ["A DELETE that erases", "took all that was known of the person out of PostgreSQL", "take the document out of MongoDB"],
});

/**
 * What is known, and no more: a side that did not answer may have the user or not.
 *
 * @param {Sides} sides
 * @returns {Step[]} None where PostgreSQL does not tell.
 */
export function storyOf({ rows, document }) {
  const change = changesOf(rows).at(-1);
  if (!change) return [];
  const synchronized = acknowledgementOf(rows, change.version);
  const isThere = document.state === "found" && document.version >= change.version && rows.state === "found";
  const second = isThere ? projection(change, synchronized) : unseen(change, document, synchronized);
  return [arrival(change), second, ...(synchronized ? [acknowledgement(change, synchronized, agreementOf(rows, document, isThere))] : [])];
}

/** @param {any} change @returns {Step} */
function arrival({ createdAt, appId, eventType }) {
  const [request, did] = CHANGES[eventType];
  return {
    when: timeOfDay(createdAt),
    what: `${request} reached ${appId}. It ${did}, in one step with the event ${eventType}. Only when both were safe on disk did the sender get its answer.`,
  };
}

/** @param {any} change @param {any} synchronized @returns {Step} */
function projection(change, synchronized) {
  const [, , brings] = CHANGES[change.eventType];
  const appId = synchronized?.appId ?? "an instance";
  const handOver = synchronized && appId !== change.appId ? ` ${change.appId} could not go on, so another instance took over.` : "";
  return { when: "a moment later", what: `The event made ${appId} ${brings}.${handOver} From here on readers find it.` };
}

/** The same step where the version's document is not at hand. @param {any} change @param {Side} document @param {any} synchronized @returns {Step} */
function unseen({ eventType }, { state }, synchronized) {
  const [, , brings] = CHANGES[eventType];
  const isDeletion = eventType === "DELETED" || eventType === "ERASED";
  const done = `The event made an instance ${brings}, which confirmed it.`;
  if (state === "asking") return { when: "not known yet", what: "MongoDB is being asked for the document." };
  if (isDeletion && state === "absent") return { when: "a moment later", what: `The event made an instance ${brings}. Readers do not find the user any more.` };
  if (state === "absent" && synchronized) return { when: "gone", what: `${done} Now MongoDB does not have it any more.` };
  if (state === "absent") return { when: "not yet", what: "MongoDB does not have the user yet. PostgreSQL remembers it, so it cannot be forgotten." };
  if (state === "found") return { when: "not yet", what: "MongoDB still has the version before. PostgreSQL remembers what is missing, so it cannot be forgotten." };
  if (synchronized) return { when: "a moment later", what: `${done} The document cannot be read just now.` };
  const it = eventType === "CREATED" ? "have the user" : "know of it";
  return { when: "not known", what: `MongoDB could not be asked just now, so it may ${it} or not. PostgreSQL remembers it, so it cannot be forgotten.` };
}

/** @param {any} change @param {any} synchronized @param {string} agreement @returns {Step} */
function acknowledgement(change, { createdAt, appId }, agreement) {
  const lag = Date.parse(createdAt) - Date.parse(change.createdAt);
  return {
    when: `${milliseconds(lag)} after the first step`,
    what: `MongoDB had confirmed it, and ${appId} ticked the user off in PostgreSQL with the event SYNCRONIZED.${agreement}`,
  };
}

/** @param {Side} rows @param {Side} document @param {boolean} isThere */
function agreementOf(rows, document, isThere) {
  if (isThere || (rows.state === "gone" && document.state === "absent")) return " Both databases agree.";
  return document.state === "absent" || document.state === "found" ? "" : " Both databases agreed then.";
}
