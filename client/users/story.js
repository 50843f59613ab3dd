/** What happened to a user, in order, for people who have never heard of CQRS. */

import { milliseconds, timeOfDay } from "/client/page/format.js";

/** @typedef {{ when: string, what: string }} Step */

/**
 * @param {any} rows What PostgreSQL has of the user; null if nothing.
 * @param {any} document What MongoDB has; null if nothing.
 * @returns {Step[]}
 */
export function storyOf(rows, document) {
  const created = eventOf(rows, "CREATED");
  if (!created) return [];
  const synchronized = eventOf(rows, "SYNCRONIZED");
  return [
    arrival(created),
    document ? projection(created, document) : waiting(),
    ...(synchronized ? [acknowledgement(created, synchronized)] : []),
  ];
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

/** @returns {Step} */
function waiting() {
  return { when: "not yet", what: "MongoDB does not have the user yet. PostgreSQL remembers that it is due, so it cannot be forgotten." };
}

/** @param {any} created @param {any} synchronized @returns {Step} */
function acknowledgement(created, { createdAt, appId }) {
  const lag = Date.parse(createdAt) - Date.parse(created.createdAt);
  return {
    when: `${milliseconds(lag)} after the first step`,
    what: `MongoDB had confirmed the document, and ${appId} ticked the user off in PostgreSQL with the event SYNCRONIZED. Both databases agree.`,
  };
}

/** @param {any} rows @param {string} type */
function eventOf(rows, type) {
  return rows?.events.find((/** @type {any} */ event) => event.eventType === type);
}
