/**
 * One run: take users from a source, send each in a POST of its own, wait until none of them is pending.
 * It knows nothing of the page: whoever shows it reads its fields when it pleases.
 *
 *   fetching -> sending <-> paused
 *                  `-> synchronizing -> done | cancelled
 *   any of them -> failed
 */

import { createUser, isKeyTaken, isPassing } from "/client/generate/command_client.js";
import { ErrorTally } from "/client/generate/error_tally.js";
import { Pace } from "/client/generate/pace.js";
import { usersOf } from "/client/generate/sources.js";
import { totalsOf } from "/client/generate/totals.js";
import { sentence } from "/client/page/format.js";
import { RequestError } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { isRefusedAccess } from "/client/page/token.js";

/** @typedef {import("/client/generate/sources.js").SourceName} SourceName */
/** @typedef {import("/client/generate/sources.js").NumberedUser} NumberedUser */
/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {"fetching" | "sending" | "synchronizing" | "done" | "cancelled" | "failed"} Phase */
/** @typedef {{ count: number, seed: string, source: SourceName, concurrency: number, rate: number }} Order `rate` in users per second; 0 is as fast as it goes. */

/** After so many users given up in a row, with all their attempts, the server is taken for gone. */
const MAX_FAILURES_IN_A_ROW = 12;
/** How long nothing at all may happen before the run stops watching. */
const PATIENCE_MS = 300_000;
const LOOK_MS = 200;

export class Run {
  /** @type {Phase} */
  phase = "fetching";
  accepted = 0;
  /** Of those, how many an earlier run with this seed had created. */
  already = 0;
  errors = new ErrorTally();
  /** @type {RequestError | null} Why the source gave no users. */
  sourceError = null;
  /** @type {string | null} Why the run failed. */
  failure = null;
  cancelAsked = false;
  /** Whether this seed has other users under the same numbers. */
  isSeedTaken = false;

  #stop = new AbortController();
  #abandon = new AbortController();
  #failuresInARow = 0;
  #before = { stored: 0, synchronized: 0, deadLetters: 0, lastCreatedMs: 0 };
  /** @type {Sample | null} */
  #sample = null;

  /** @param {Order} order */
  constructor(order) {
    this.order = order;
    this.pace = new Pace(order.rate);
  }

  get isOver() {
    return this.phase === "done" || this.phase === "cancelled" || this.phase === "failed";
  }

  /** How many users the seed is to have in the end. Nobody knows any more once users were given up, or the run ended early. */
  get target() {
    if (this.cancelAsked || this.failure) return 0;
    const { stored } = this.#before;
    // While all are found to be there, this is an earlier run that goes on: what it has is part of what is wanted.
    if (this.created === 0) return Math.max(stored, this.order.count - this.errors.failed);
    return stored + this.order.count - this.already - this.errors.failed;
  }

  /** Users that this run has made, and no earlier one. */
  get created() {
    return this.accepted - this.already;
  }

  /** Users that this run has made and that came back from MongoDB, as far as the last sample knows. */
  get synchronized() {
    return Math.max(0, Math.min(this.created, (this.#sample?.stages.synchronized ?? 0) - this.#before.synchronized));
  }

  /** Users that MongoDB refused for good: set aside as dead letters, they are not waited for. */
  get refused() {
    return Math.max(0, (this.#sample?.deadLetters ?? 0) - this.#before.deadLetters);
  }

  /** @param {Sample} sample The newest one of this run's seed. */
  observe(sample) {
    this.#sample = sample;
  }

  /** The first call ends the sending, what is under way gets its answer; the second ends the watching too. */
  cancel() {
    if (this.phase !== "sending" || this.cancelAsked) this.#abandon.abort();
    this.cancelAsked = true;
    this.#stop.abort();
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
    const users = usersOf(this.order, this.#abandon.signal);
    const lane = async () => {
      for (let user = await this.#next(users); user; user = await this.#next(users)) await this.#sendOne(user);
    };
    const ends = await Promise.allSettled(Array.from({ length: this.order.concurrency }, lane));
    const broken = ends.find((end) => end.status === "rejected");
    if (broken) throw broken.reason;
    if (this.failure) throw new Error(this.failure);
  }

  /** @param {AsyncGenerator<NumberedUser>} users @returns {Promise<NumberedUser | null>} The next user when it may go; null when none shall. */
  async #next(users) {
    try {
      await this.pace.turn(this.#stop.signal);
      const { value } = await users.next();
      if (this.phase === "fetching") this.phase = "sending";
      return this.#stop.signal.aborted ? null : (value ?? null);
    } catch (error) {
      if (this.#stop.signal.aborted) return null;
      if (error instanceof RequestError) this.sourceError = error;
      this.#stop.abort();
      throw error;
    }
  }

  /** @param {NumberedUser} user */
  async #sendOne(user) {
    const signals = { stop: this.#stop.signal, abandon: this.#abandon.signal };
    try {
      const createdAt = await createUser(this.order.seed, user, signals, (error) => this.errors.countRetry(error));
      this.accepted += 1;
      // By one clock, PostgreSQL's. That an answer is a replay says less: the browser repeats a request by itself.
      if (Date.parse(createdAt) <= this.#before.lastCreatedMs) this.already += 1;
      this.#failuresInARow = 0;
    } catch (error) {
      if (error instanceof RequestError) this.#countFailure(error);
    }
  }

  /** @param {RequestError} error */
  #countFailure(error) {
    if (isKeyTaken(error)) return this.#giveUpSeed();
    this.errors.countFailure(error);
    if (!isPassing(error) && !isRefusedAccess(error.status)) return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow < MAX_FAILURES_IN_A_ROW) return;
    this.failure = `The server took none of the last ${MAX_FAILURES_IN_A_ROW} users. ${sentence(error.message)}`;
    this.#stop.abort();
    this.#abandon.abort();
  }

  /** One such answer says it of all: what is under way gets its answer, and nothing more is sent. */
  #giveUpSeed() {
    this.isSeedTaken = true;
    this.failure = "This seed has other users already, from another source. Take another seed, or the source of before.";
    this.#stop.abort();
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
