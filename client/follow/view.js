/** Makes one user, and leads to its steps. */

import { remember } from "/client/follow/sent.js";
import { freshSeed } from "/client/generate/seed.js";
import { addressOf, go, here } from "/client/page/address.js";
import { element, onClick, setText } from "/client/page/dom.js";
import { RequestError, ask, getJson, refusal } from "/client/page/http.js";
import { freshKey } from "/client/users/commands.js";

const TIMEOUT_MS = 30_000;

export class FollowView {
  /** @type {Pick<import("/client/follow/sent.js").Sent, "method" | "url" | "idempotencyKey" | "json"> | null} What was not answered yet is sent again as it was. */
  #unanswered = null;
  #isSending = false;

  constructor() {
    onClick("send-one", () => this.#send());
  }

  show() {
    setText("send-one-state", "");
  }

  /** What was sent is not taken back. */
  leave() {}

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    setText("send-one-state", "Sending…");
    try {
      const id = await this.#create();
      if (here().view === "follow") go(addressOf("follow", { id, version: "1", step: "1" }));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setText("send-one-state", `${error.sentence} ${this.#unanswered ? "Press the button again: the same is sent with the same key, so it takes effect once." : "Press the button to try again."}`);
    } finally {
      this.#isSending = false;
    }
  }

  /** @returns {Promise<string>} The user's id. */
  async #create() {
    const { signal } = new AbortController();
    const order = (this.#unanswered ??= await makeOrder(signal));
    const at = performance.timeOrigin + performance.now();
    const answer = await ask(order.url, { command: order, signal, timeoutMs: TIMEOUT_MS });
    if (answer.status >= 400 && answer.status < 500) this.#unanswered = null; // it was refused, and would be again
    if (answer.status !== 201) throw refusal(answer);
    this.#unanswered = null;
    const id = String(answer.body.id);
    remember(id, 1, { ...order, at, answeredMs: performance.timeOrigin + performance.now() - at });
    return id;
  }
}

/** Whoever generates users with this seed has other keys. @param {AbortSignal} signal */
async function makeOrder(signal) {
  const seed = `follow-${freshSeed()}`;
  const { results } = await getJson(`/api/v1/random-users?${new URLSearchParams({ results: "1", seed })}`, signal);
  const url = `/api/v1/user-command?${new URLSearchParams({ seed })}`;
  return { method: /** @type {const} */ ("POST"), url, idempotencyKey: freshKey(), json: results[0] };
}
