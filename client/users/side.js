/** What one of the two databases says of a user. A side that did not answer has said nothing: that is no absence. */

import { RequestError, ask, refusal } from "/client/page/http.js";

/**
 * @typedef {object} Side
 * @property {"asking" | "found" | "absent" | "failed" | "unfit"} state `unfit`: nobody can have such an id.
 * @property {any} found What is there; null unless `found`.
 * @property {string} problem Why it is not known, as a sentence; empty unless `failed`.
 */

const TIMEOUT_MS = 15_000;

/** @type {Side} */
export const ASKING = { state: "asking", found: null, problem: "" };

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
    if (answer.status === 200 && answer.body) return { state: "found", found: answer.body, problem: "" };
    if (answer.status === 404) return { state: "absent", found: null, problem: "" };
    if (answer.status === 400) return { state: "unfit", found: null, problem: "" };
    return failed(refusal(answer));
  } catch (error) {
    return error instanceof RequestError ? failed(error) : ASKING; // who went elsewhere asks no more
  }
}

/** @param {RequestError} error @returns {Side} */
function failed(error) {
  return { state: "failed", found: null, problem: error.sentence };
}
