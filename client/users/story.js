/** What happened to a user, in order, for people who have never heard of CQRS. */

import { milliseconds, timeOfDay } from "/client/page/format.js";

/** @typedef {import("/client/users/side.js").Side} Side */
/** @typedef {{ when: string, what: string }} Step */

/**
 * What is known, and no more: a side that did not answer may have the user or not.
 *
 * @param {Side} rows What PostgreSQL has of the user.
 * @param {Side} document What MongoDB has.
 * @returns {Step[]} None where PostgreSQL does not tell.
 */
export function storyOf(rows, document) {
  const created = eventOf(rows.found, "CREATED");
  if (!created) return [];
  const synchronized = eventOf(rows.found, "SYNCRONIZED");
  const second = document.found ? projection(created, document.found) : unseen(document.state, synchronized);
  return [arrival(created), second, ...(synchronized ? [acknowledgement(created, synchronized, document.state)] : [])];
}

/** @param {any} created @returns {Step} */
function arrival({ createdAt, appId }) {
  return {
    when: timeOfDay(createdAt),
    what: `A POST reached ${appId}. It wrote the user to PostgreSQL, together with the event CREATED. Only when both were safe on disk did the sender get its answer.`,
  };
}

/** @param {any} created @param {any} document @returns {Step} */
function projection(created, { appId }) {
  const handOver = appId === created.appId ? "" : ` ${created.appId} could not go on, so another instance took over.`;
  return {
    when: "a moment later",
    what: `The event made ${appId} write the user to MongoDB, as one document.${handOver} From here on readers find it.`,
  };
}

/** The same step where no document is at hand. @param {Side["state"]} state @param {any} synchronized @returns {Step} */
function unseen(state, synchronized) {
  if (state === "asking") return { when: "not known yet", what: "MongoDB is being asked for the document." };
  if (state === "absent" && synchronized) {
    return { when: "gone", what: "The event made an instance write the user to MongoDB, which confirmed it. Now MongoDB does not have it any more." };
  }
  if (state === "absent") {
    return { when: "not yet", what: "MongoDB does not have the user yet. PostgreSQL remembers it, so it cannot be forgotten." };
  }
  if (synchronized) {
    return { when: "a moment later", what: "The event made an instance write the user to MongoDB, which confirmed it. The document cannot be read just now." };
  }
  return { when: "not known", what: "MongoDB could not be asked just now, so it may have the user or not. PostgreSQL remembers it, so it cannot be forgotten." };
}

/** @param {any} created @param {any} synchronized @param {Side["state"]} state Of the document. @returns {Step} */
function acknowledgement(created, { createdAt, appId }, state) {
  const lag = Date.parse(createdAt) - Date.parse(created.createdAt);
  const agreement = { found: " Both databases agree.", absent: "", asking: " Both databases agreed then.", failed: " Both databases agreed then.", unfit: "" };
  return {
    when: `${milliseconds(lag)} after the first step`,
    what: `MongoDB had confirmed the document, and ${appId} ticked the user off in PostgreSQL with the event SYNCRONIZED.${agreement[state]}`,
  };
}

/** @param {any} rows @param {string} type */
function eventOf(rows, type) {
  return rows?.events.find((/** @type {any} */ event) => event.eventType === type);
}
