/** A run whose users the lab's generator sends, beside the stack. The desk tells how far it is, to whoever asks. */

import { lookAgain, talk } from "/client/break/desk.js";
import { NOTHING_SENT } from "/client/generate/sending.js";
import { totalsOf } from "/client/generate/totals.js";
import { count, plural, sentence } from "/client/page/format.js";
import { RequestError } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";

/** @typedef {import("/client/break/desk.js").Load} Load */
/** @typedef {import("/client/break/desk.js").Mix} Mix */
/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/generate/run.js").Phase} Phase */
/** @typedef {{ seed: string, users: number, rate: number | null, connections: number, mix: Mix }} ServerOrder `rate` in commands per second; null is as fast as it goes. */

/** What the list of errors has of it. */
const AGAIN = "No answer, or “not now” (429, 502, 503, 504)";
const LOOK_MS = 200;

export class ServerRun {
  /** @type {Phase} */
  phase = "fetching";
  cancelAsked = false;
  isPaused = false; // nobody can
  refused = 0;
  failure = "";
  /** @type {Sample | null} */
  #sample = null;
  #abandon = new AbortController();

  /** @param {ServerOrder} wanted @param {Load | null} [load] If it is going on already. */
  constructor(wanted, load = null) {
    this.wanted = wanted;
    this.load = load;
    this.order = { seed: wanted.seed, count: wanted.users };
  }

  get isOver() {
    return this.phase === "done" || this.phase === "cancelled" || this.phase === "failed";
  }

  get accepted() {
    return this.load?.acknowledged.create ?? 0;
  }

  get sent() {
    const { failed, sentAgain } = this.load ?? { failed: 0, sentAgain: 0 };
    return { ...NOTHING_SENT, failed, errors: failed + sentAgain > 0 ? [{ kind: AGAIN, retried: sentAgain, failed }] : [] };
  }

  /** How many users the seed is to have in the end; 0 where nobody knows. */
  get target() {
    return this.cancelAsked || this.failure || this.sent.failed ? 0 : this.order.count;
  }

  /** One sentence on where it stands. */
  get status() {
    switch (this.phase) {
      case "fetching":
        return "The server gets ready to send…";
      case "sending":
        return this.cancelAsked ? "Stopping: waiting for the last answers…" : `The server sends, ${this.wanted.connections} requests at a time…`;
      case "synchronizing":
        return "All is sent. Waiting for the last users to be synchronized…";
      case "done":
        return `Done: ${this.#acknowledged} in ${this.load?.seconds ?? 0} s.`;
      case "cancelled":
        return `Stopped. ${this.#acknowledged}.`;
      case "failed":
        return `Stopped. ${sentence(this.failure)}`;
    }
  }

  get #acknowledged() {
    const { create, update, delete: gone } = this.load?.acknowledged ?? { create: 0, update: 0, delete: 0 };
    const others = update + gone > 0 ? `, ${count(update)} updated, ${count(gone)} deleted` : "";
    return `${plural(create, "user was", "users were")} accepted${others}`;
  }

  /** @param {Sample} sample The newest one of this run's seed. */
  observe(sample) {
    this.#sample = sample;
  }

  /** @param {Load | null} load As the desk has told, perhaps of another run, perhaps before it was asked for this one. */
  hear(load) {
    if (!this.load || this.isOver) return;
    if (load?.startedAt === this.load.startedAt) this.load = load;
    else if (load === null) this.#end("failed", "The desk has started again, and sends nothing more.");
    else if (load.startedAt > this.load.startedAt) this.#end("done", "");
  }

  /** @param {"done" | "failed"} state @param {string} reason */
  #end(state, reason) {
    if (this.load) this.load = { ...this.load, state, reason };
  }

  /** The first call ends the sending, the second the watching too. */
  cancel() {
    if (this.cancelAsked || this.phase === "synchronizing") this.#abandon.abort();
    else talk("DELETE", "/lab/load").catch((error) => (this.failure = error.sentence));
    this.cancelAsked = true;
  }

  /** Ask the desk for it, unless it is going on already, and wait for its end. Never throws. */
  async start() {
    const { signal } = this.#abandon;
    try {
      this.load ??= /** @type {Load} */ (await talk("POST", "/lab/load", this.wanted, signal));
      lookAgain();
      while (this.load?.state === "preparing") await sleep(LOOK_MS, signal);
      this.phase = "sending";
      while (this.load?.state === "sending") await sleep(LOOK_MS, signal);
      this.failure = this.load?.state === "failed" ? this.load.reason : "";
      this.cancelAsked ||= this.load?.state === "stopped";
      this.phase = "synchronizing";
      while (!this.#isComplete()) await sleep(LOOK_MS, signal);
    } catch (error) {
      if (!signal.aborted) this.failure = error instanceof RequestError ? error.sentence : String(error);
    }
    this.phase = this.failure ? "failed" : this.cancelAsked ? "cancelled" : "done";
  }

  /** What was acknowledged; null where the seed had users before, which nobody here has counted. */
  async acknowledged() {
    const { firstCreatedMs } = await totalsOf(this.order.seed, AbortSignal.timeout(15_000));
    return this.load && firstCreatedMs >= Date.parse(this.load.startedAt) ? this.load.acknowledged : null;
  }

  #isComplete() {
    return this.accepted === 0 || (this.#sample !== null && this.#sample.pending === 0 && this.#sample.stages.stored >= this.accepted);
  }
}
