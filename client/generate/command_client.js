/** The write side's client: one POST per user, sent again while there is hope; the user is created once. */

import { keyOf } from "/client/generate/key.js";
import { RequestError, ask, refusal } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";

/** @typedef {{ stop: AbortSignal, abandon: AbortSignal }} Signals `stop`: no new attempt. `abandon`: drop even a sent one. */

const TIMEOUT_MS = 30_000;
const MAX_ATTEMPTS = 6;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 8_000;

/** Statuses that say "not now": the server is full, draining, or not there behind the load balancer. */
const PASSING_STATUSES = new Set([429, 502, 503, 504]);

/**
 * Create one user. Every attempt carries the same key: one that was carried out without our seeing its answer is
 * answered again, not repeated.
 *
 * @param {string} seed
 * @param {import("/client/generate/sources.js").NumberedUser} user
 * @param {Signals} signals
 * @param {(error: RequestError) => void} onRetry Called before each further attempt with the reason for it.
 * @returns {Promise<string>} When the user was created, by PostgreSQL’s clock; it is committed.
 * @throws {RequestError} Refused, or no luck in six attempts.
 * @throws {DOMException} Stopped before the user was sent (again).
 */
export async function createUser(seed, { number, user }, signals, onRetry) {
  /** @type {import("/client/page/http.js").Command} */
  const command = { method: "POST", json: user, idempotencyKey: keyOf(seed, number) };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await postUser(seed, command, signals.abandon);
    } catch (error) {
      if (!(error instanceof RequestError) || !isPassing(error) || attempt === MAX_ATTEMPTS) throw error;
      onRetry(error);
      await sleep(error.retryAfterMs === null ? pauseMs(attempt) : Math.min(error.retryAfterMs, MAX_PAUSE_MS), signals.stop);
    }
  }
}

/** The key belongs to another user already: this seed's users came from another source. @param {RequestError} error */
export function isKeyTaken({ status }) {
  return status === 422;
}

/** @param {RequestError} error Whether another attempt may fare better. */
export function isPassing({ status }) {
  return status === null || PASSING_STATUSES.has(status);
}

/**
 * @param {string} seed
 * @param {import("/client/page/http.js").Command} command
 * @param {AbortSignal} signal
 * @returns {Promise<string>} A 201 came, which alone says that the user is committed: when it was created.
 */
async function postUser(seed, command, signal) {
  const url = `/api/v1/user-command?seed=${encodeURIComponent(seed)}`;
  const answer = await ask(url, { command, signal, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 201) throw refusal(answer);
  return answer.body.createdAt;
}

/** Twice as long each time, with chance in it so that the lanes don't come back all at once. @param {number} attempt */
function pauseMs(attempt) {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), MAX_PAUSE_MS) * (0.5 + Math.random() / 2);
}
