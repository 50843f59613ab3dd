/** Commands on one user, each about the version that was looked at, and what has become of them. */

import { remember } from "/client/follow/sent.js";
import { RequestError, ask, refusal } from "/client/page/http.js";

/** @typedef {{ detail: string, pointer?: string }} Place */
/**
 * @typedef {{ state: "done", version: number }
 *   | { state: "conflict", version: number }
 *   | { state: "invalid", places: Place[], sentence: string }
 *   | { state: "gone" }
 *   | { state: "failed", sentence: string, isUncertain: boolean }} Outcome
 *   `conflict`: the user has another version by now. `gone`: it was deleted, or never was there. `sentence` says what to do, too.
 */
/** @typedef {{ method: "PATCH" | "DELETE", url: string, json?: unknown, expected: number }} Order */

/** Longer than a load balancer waits for one instance after the other. */
const TIMEOUT_MS = 30_000;

const TRY_AGAIN = "It may have been carried out or not. Try again: it is sent with the same key, so it takes effect once.";

/** Sends one command at a time. One that got no answer has the same key when it is sent again, so it takes effect once. */
export class Sender {
  #last = "";
  #key = "";
  #isSending = false;

  /** Whether a command is under way. */
  get isSending() {
    return this.#isSending;
  }

  /** @param {Order} order @returns {Promise<Outcome>} */
  async send({ url, ...order }) {
    const now = JSON.stringify([url, order]);
    if (now !== this.#last) this.#key = freshKey();
    this.#last = now;
    this.#isSending = true;
    try {
      const command = { ...order, idempotencyKey: this.#key };
      const at = performance.timeOrigin + performance.now();
      // Whoever leaves the view does not take the command back: nothing aborts it.
      const outcome = outcomeOf(await ask(url, { command, signal: new AbortController().signal, timeoutMs: TIMEOUT_MS }));
      if (outcome.state === "done" && outcome.version > order.expected) remember(idIn(url), outcome.version, { ...command, url, at, answeredMs: performance.timeOrigin + performance.now() - at });
      return outcome;
    } catch (error) {
      if (error instanceof RequestError) return failed(error);
      throw error;
    } finally {
      this.#isSending = false;
    }
  }
}

/** @param {import("/client/page/http.js").Answer} answer @returns {Outcome} */
function outcomeOf(answer) {
  const { status, headers, body } = answer;
  if (status === 200 || status === 204) return { state: "done", version: Number(headers.get("ETag")?.match(/\d+/)?.[0]) };
  if (status === 412 && body?.version) return { state: "conflict", version: body.version };
  if (status === 404 || status === 410) return { state: "gone" };
  if (status === 400) return { state: "invalid", places: body?.errors ?? [], sentence: refusal(answer).sentence };
  return failed(refusal(answer));
}

/** @param {RequestError} error @returns {Outcome} */
function failed(error) {
  const isUncertain = error.status === null || error.status >= 500;
  return { state: "failed", sentence: `${error.sentence} ${isUncertain ? TRY_AGAIN : adviceOn(error.status)}`, isUncertain };
}

/** @param {number | null} status */
function adviceOn(status) {
  if (status === 401 || status === 403) return "Nothing was changed. Enter an access token that may send commands under Access, then try again.";
  if (status === 429) return "Nothing was changed. Try again in a moment.";
  return "Nothing was changed.";
}

/** @param {string} url Of a command on one user. */
function idIn(url) {
  return decodeURIComponent(new URL(url, location.href).pathname.split("/").at(-1) ?? "");
}

/** `crypto.randomUUID` is hidden from pages that come by plain http from another host. */
export function freshKey() {
  return `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
