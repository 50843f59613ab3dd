/**
 * One run: have a worker send its users, wait until none of them is pending.
 * It knows nothing of the page: whoever shows it reads its fields when it pleases.
 *
 *   fetching -> sending <-> paused
 *                  `-> synchronizing -> done | cancelled
 *   any of them -> failed
 */

import { NOTHING_SENT } from "/client/generate/sending.js";
import { totalsOf } from "/client/generate/totals.js";
import { RequestError } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { access, noteStatus, token } from "/client/page/token.js";

/** @typedef {import("/client/generate/sources.js").SourceName} SourceName */
/** @typedef {import("/client/generate/sending.js").Sent} Sent */
/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {"fetching" | "sending" | "synchronizing" | "done" | "cancelled" | "failed"} Phase */
/** @typedef {{ count: number, seed: string, source: SourceName, concurrency: number, rate: number }} Order `rate` in users per second; 0 is as fast as it goes. */

/** How long nothing at all may happen before the run stops watching. */
const PATIENCE_MS = 300_000;
const LOOK_MS = 200;

export class Run {
  /** @type {Phase} */
  phase = "fetching";
  /** @type {Sent} As the worker told last. */
  sent = NOTHING_SENT;
  /** @type {string | null} Why the run failed. */
  failure = null;
  cancelAsked = false;
  isPaused = false;

  #abandon = new AbortController();
  /** @type {Worker | null} */
  #worker = null;
  #before = { stored: 0, synchronized: 0, deadLetters: 0, firstCreatedMs: 0, lastCreatedMs: 0 };
  /** @type {Sample | null} */
  #sample = null;

  /** @param {Order} order */
  constructor(order) {
    this.order = order;
  }

  get accepted() {
    return this.sent.accepted;
  }

  get isOver() {
    return this.phase === "done" || this.phase === "cancelled" || this.phase === "failed";
  }

  /** How many users the seed is to have in the end. Nobody knows any more once users were given up, or the run ended early. */
  get target() {
    if (this.cancelAsked || this.failure) return 0;
    const { stored } = this.#before;
    // While all are found to be there, this is an earlier run that goes on: what it has is part of what is wanted.
    if (this.created === 0) return Math.max(stored, this.order.count - this.sent.failed);
    return stored + this.order.count - this.sent.already - this.sent.failed;
  }

  /** Users that this run has made, and no earlier one. */
  get created() {
    return this.accepted - this.sent.already;
  }

  /** Users that this run has made and that came back from MongoDB, as far as the last sample knows. */
  get synchronized() {
    return Math.max(0, Math.min(this.created, (this.#sample?.stages.synchronized ?? 0) - this.#before.synchronized));
  }

  /** Users that MongoDB refused for good: set aside as dead letters, they are not waited for. */
  get refused() {
    return Math.max(0, (this.#sample?.deadLetters ?? 0) - this.#before.deadLetters);
  }

  /** What was acknowledged; null where the seed has users that nobody here has counted. */
  async acknowledged() {
    return this.#before.stored === this.sent.already ? { create: this.accepted, update: 0, delete: 0 } : null;
  }

  /** @param {Sample} sample The newest one of this run's seed. */
  observe(sample) {
    this.#sample = sample;
  }

  togglePause() {
    this.isPaused = !this.isPaused;
    this.#worker?.postMessage(this.isPaused ? "pause" : "resume");
  }

  /** The first call ends the sending, what is under way gets its answer; the second ends the watching too. */
  cancel() {
    if (this.phase !== "sending" || this.cancelAsked) this.#abandon.abort();
    this.cancelAsked = true;
    this.#worker?.postMessage(this.#abandon.signal.aborted ? "abandon" : "stop");
  }

  /** Go through all phases. Never throws: how it went is in the fields. */
  async start() {
    try {
      this.#before = await totalsOf(this.order.seed, this.#abandon.signal);
      await this.#send();
      this.phase = "synchronizing";
      await this.#watch();
    } catch (error) {
      if (!this.cancelAsked) this.failure ??= error instanceof RequestError ? error.sentence : String(error instanceof Error ? error.message : error);
    } finally {
      this.phase = this.failure ? "failed" : this.cancelAsked ? "cancelled" : "done";
      this.#abandon.abort();
    }
  }

  async #send() {
    const worker = new Worker("/client/generate/worker.js", { type: "module" });
    const tellToken = () => worker.postMessage({ token: token() });
    this.#worker = worker;
    access.addEventListener("changed", tellToken);
    const randomuserUrl = /** @type {HTMLMetaElement} */ (document.querySelector('meta[name="randomuser-url"]')).content;
    worker.postMessage({ begin: { order: this.order, lastCreatedMs: this.#before.lastCreatedMs, randomuserUrl, token: token() } });
    try {
      await this.#hear(worker);
    } finally {
      access.removeEventListener("changed", tellToken);
      worker.terminate();
      this.#worker = null;
    }
    if (this.sent.failure) throw new Error(this.sent.failure);
  }

  /** @param {Worker} worker @returns {Promise<void>} Until it has sent all, or stopped. */
  #hear(worker) {
    return new Promise((resolve, reject) => {
      worker.onerror = () => reject(new Error("The part of this page that sends could not start. Reload the page."));
      worker.onmessage = (/** @type {MessageEvent<import("/client/generate/worker.js").Tells>} */ { data }) => {
        if ("refusedAccess" in data) return noteStatus(data.refusedAccess);
        this.sent = data.sent;
        if (this.phase === "fetching" && data.sent.hasBegun) this.phase = "sending";
        if (data.isOver) resolve();
      };
    });
  }

  /** Until all that was accepted is in both databases, or refused. */
  async #watch() {
    let movedAt = performance.now();
    for (let before = -1; !this.#isComplete(); ) {
      await sleep(LOOK_MS, this.#abandon.signal);
      const steps = this.synchronized + this.refused;
      if (steps > before) movedAt = performance.now();
      if (performance.now() - movedAt > PATIENCE_MS) throw new Error("Nothing has moved for five minutes");
      before = steps;
    }
  }

  /** Nothing pending, not even of an earlier run, says more than the difference of two counts. */
  #isComplete() {
    if (this.accepted === 0) return true;
    const sample = this.#sample;
    return sample !== null && sample.pending === 0 && sample.stages.stored >= this.#before.stored + this.created;
  }
}
