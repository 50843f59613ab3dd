/**
 * One run: get users, send each in a POST of its own, watch until none of them is pending.
 * It knows nothing of the page: whoever shows it reads its fields when it pleases.
 *
 *   fetching -> sending -> synchronizing -> done
 *       |          |             `--------> cancelled
 *       `----------`----------------------> failed
 */

import { createUser, isPassing } from "/client/command_client.js";
import { ErrorTally } from "/client/error_tally.js";
import { RequestError } from "/client/http.js";
import { sleep } from "/client/sleep.js";
import { fetchUsers } from "/client/sources.js";
import { fetchStatistics, since, sum } from "/client/statistics.js";

/** @typedef {import("/client/sources.js").SourceName} SourceName */
/** @typedef {import("/client/statistics.js").Row} Row */
/** @typedef {"fetching" | "sending" | "synchronizing" | "done" | "cancelled" | "failed"} Phase */
/** @typedef {{ count: number, seed: string, source: SourceName }} Order */

/** A browser opens six connections to a host; more requests at once would only queue, the statistics behind them. */
const LANES = 6;
/** After so many users given up in a row, with all their attempts, the server is taken for gone. */
const MAX_FAILURES_IN_A_ROW = 2 * LANES;

const POLL_MS = 250;
const MAX_POLL_MS = 2_000;
/** How long nothing at all may happen before the run stops watching. */
const PATIENCE_MS = 300_000;

export class Run {
  /** @type {Phase} */
  phase = "fetching";
  fetched = 0;
  accepted = 0;
  /** @type {Map<string, number>} Accepted users by the app id in their 201. */
  acceptedBy = new Map();
  errors = new ErrorTally();
  /** @type {Row[]} The statistics of this run, as of the last look. */
  rows = [];
  /** @type {string | null} Why the statistics are missing at the moment. */
  statisticsError = null;
  /** @type {RequestError | null} Why the source gave no users. */
  sourceError = null;
  /** @type {string | null} Why the run failed. */
  failure = null;
  cancelAsked = false;

  #stop = new AbortController();
  #abandon = new AbortController();
  #startedAt = NaN;
  #sentAt = NaN;
  #endedAt = NaN;
  #failuresInARow = 0;
  /** @type {Row[]} What the seed had before. */
  #before = [];
  #pending = 0;

  /** @param {Order} order */
  constructor(order) {
    this.order = order;
  }

  get isOver() {
    return this.phase === "done" || this.phase === "cancelled" || this.phase === "failed";
  }

  get synchronized() {
    return Math.min(sum(this.rows, "synchronized"), this.accepted);
  }

  /** Users that MongoDB refused for good: set aside as dead letters, they are not waited for. */
  get refused() {
    return sum(this.rows, "deadLetters");
  }

  /** Milliseconds from the first POST to the end of the sending; to now while it goes on. NaN before. */
  get sendingMs() {
    return (Number.isNaN(this.#sentAt) ? performance.now() : this.#sentAt) - this.#startedAt;
  }

  /** Milliseconds from the first POST to the end of the run; to now while it goes on. NaN before. */
  get totalMs() {
    return (Number.isNaN(this.#endedAt) ? performance.now() : this.#endedAt) - this.#startedAt;
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
      const users = await this.#getUsers();
      this.phase = "sending";
      this.#startedAt = performance.now();
      await Promise.all([this.#send(users), this.#watch()]);
    } catch (error) {
      if (!this.cancelAsked) this.failure ??= error instanceof Error ? error.message : String(error);
    } finally {
      this.#end();
    }
  }

  #end() {
    this.#endedAt = performance.now();
    this.phase = this.failure ? "failed" : this.cancelAsked ? "cancelled" : "done";
    this.#abandon.abort();
  }

  async #getUsers() {
    this.#before = await fetchStatistics(this.order.seed, this.#abandon.signal);
    try {
      return await fetchUsers({ ...this.order, signal: this.#abandon.signal }, (fetched) => (this.fetched = fetched));
    } catch (error) {
      if (error instanceof RequestError) this.sourceError = error;
      throw error;
    }
  }

  /** @param {object[]} users */
  async #send(users) {
    const waiting = users.values();
    const lane = async () => {
      for (const user of waiting) {
        await this.#sendOne(user);
        if (this.#stop.signal.aborted) return;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    this.#sentAt = performance.now();
    if (!this.isOver) this.phase = "synchronizing";
  }

  /** @param {object} user */
  async #sendOne(user) {
    const signals = { stop: this.#stop.signal, abandon: this.#abandon.signal };
    try {
      this.#countAccepted(await createUser(this.order.seed, user, signals, (error) => this.errors.countRetry(error)));
    } catch (error) {
      if (!(error instanceof RequestError)) return;
      this.#countFailure(error);
    }
  }

  /** @param {string} appId */
  #countAccepted(appId) {
    this.accepted += 1;
    this.acceptedBy.set(appId, (this.acceptedBy.get(appId) ?? 0) + 1);
    this.#failuresInARow = 0;
  }

  /** @param {RequestError} error */
  #countFailure(error) {
    this.errors.countFailure(error);
    if (!isPassing(error)) return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow < MAX_FAILURES_IN_A_ROW) return;
    this.failure = `The server took none of the last ${MAX_FAILURES_IN_A_ROW} users. ${error.message}`;
    this.#stop.abort();
    this.#abandon.abort();
  }

  /** Look at the statistics, less often while nothing moves, until all that was accepted is in both or refused. */
  async #watch() {
    let pause = POLL_MS;
    let movedAt = performance.now();
    for (;;) {
      const before = this.#steps();
      await sleep(pause, this.#abandon.signal);
      await this.#look();
      if (this.phase === "synchronizing" && this.#isComplete()) return;
      const moved = this.#steps() > before;
      if (moved) movedAt = performance.now();
      if (performance.now() - movedAt > PATIENCE_MS) throw new Error("Nothing has moved for five minutes");
      pause = moved ? POLL_MS : Math.min(pause * 2, MAX_POLL_MS);
    }
  }

  /** Only ever grows, as long as anything moves. */
  #steps() {
    return this.accepted + this.synchronized + this.refused;
  }

  async #look() {
    try {
      const rows = await fetchStatistics(this.order.seed, this.#abandon.signal);
      this.rows = since(rows, this.#before);
      this.#pending = sum(rows, "pending");
      this.statisticsError = null;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.statisticsError = error.message;
    }
  }

  /** Nothing pending, not even of an earlier run, says more than the difference of two counts. */
  #isComplete() {
    return this.statisticsError === null && this.#pending === 0 && sum(this.rows, "total") >= this.accepted;
  }
}
