/**
 * The sending of one order: takes users from a source, and sends each in a POST of its own. It runs in a worker, and
 * knows nothing of the page: whoever started it is told how far it is.
 */

import { createUser, isKeyTaken, isPassing } from "/client/generate/command_client.js";
import { ErrorTally } from "/client/generate/error_tally.js";
import { Pace } from "/client/generate/pace.js";
import { usersOf } from "/client/generate/sources.js";
import { sentence } from "/client/page/format.js";
import { RequestError } from "/client/page/http.js";
import { isRefusedAccess } from "/client/page/token.js";

/** @typedef {import("/client/generate/sources.js").NumberedUser} NumberedUser */
/** @typedef {import("/client/generate/error_tally.js").ErrorGroup} ErrorGroup */
/**
 * @typedef {object} Sent How far a sending is; of plain values, so that a worker can tell it.
 * @property {boolean} hasBegun Whether the source gave users.
 * @property {number} accepted
 * @property {number} already Of those, how many an earlier run with this seed had created.
 * @property {number} failed Users given up.
 * @property {ErrorGroup[]} errors
 * @property {{ status: number | null, message: string } | null} sourceError Why the source gave no users.
 * @property {string | null} failure Why it stopped before its end.
 * @property {boolean} isSeedTaken Whether this seed has other users under the same numbers.
 */

/** After so many users given up in a row, with all their attempts, the server is taken for gone. */
const MAX_FAILURES_IN_A_ROW = 12;

/** @type {Sent} */
export const NOTHING_SENT = { hasBegun: false, accepted: 0, already: 0, failed: 0, errors: [], sourceError: null, failure: null, isSeedTaken: false };

export class Sending {
  #sent = { ...NOTHING_SENT };
  #errors = new ErrorTally();
  #stop = new AbortController();
  #abandon = new AbortController();
  #failuresInARow = 0;

  /**
   * @param {import("/client/generate/run.js").Order} order
   * @param {number} lastCreatedMs When the newest user was created that the seed has already, in milliseconds since 1970.
   * @param {string} randomuserUrl
   */
  constructor(order, lastCreatedMs, randomuserUrl) {
    this.order = order;
    this.lastCreatedMs = lastCreatedMs;
    this.randomuserUrl = randomuserUrl;
    this.pace = new Pace(order.rate);
  }

  /** @returns {Sent} */
  get sent() {
    return { ...this.#sent, failed: this.#errors.failed, errors: this.#errors.groups() };
  }

  /** Send nothing more; what is under way gets its answer. */
  stop() {
    this.#stop.abort();
  }

  /** Do not wait for answers either. */
  abandon() {
    this.#stop.abort();
    this.#abandon.abort();
  }

  /** Send all. Never throws: how it went is in `sent`. */
  async start() {
    const users = usersOf(this.order, this.randomuserUrl, this.#abandon.signal);
    const lane = async () => {
      for (let user = await this.#next(users); user; user = await this.#next(users)) await this.#sendOne(user);
    };
    const ends = await Promise.allSettled(Array.from({ length: this.order.concurrency }, lane));
    const broken = ends.find((end) => end.status === "rejected");
    if (broken && !this.#sent.failure) this.#sent.failure = broken.reason instanceof RequestError ? broken.reason.sentence : String(broken.reason?.message ?? broken.reason);
  }

  /** @param {AsyncGenerator<NumberedUser>} users @returns {Promise<NumberedUser | null>} The next user when it may go; null when none shall. */
  async #next(users) {
    try {
      await this.pace.turn(this.#stop.signal);
      const { value } = await users.next();
      this.#sent.hasBegun = true;
      return this.#stop.signal.aborted ? null : (value ?? null);
    } catch (error) {
      if (this.#stop.signal.aborted) return null;
      if (error instanceof RequestError) this.#sent.sourceError = { status: error.status, message: error.message };
      this.#stop.abort();
      throw error;
    }
  }

  /** @param {NumberedUser} user */
  async #sendOne(user) {
    const signals = { stop: this.#stop.signal, abandon: this.#abandon.signal };
    try {
      const createdAt = await createUser(this.order.seed, user, signals, (error) => this.#errors.countRetry(error));
      this.#sent.accepted += 1;
      // By one clock, PostgreSQL's. That an answer is a replay says less: the browser repeats a request by itself.
      if (Date.parse(createdAt) <= this.lastCreatedMs) this.#sent.already += 1;
      this.#failuresInARow = 0;
    } catch (error) {
      if (error instanceof RequestError) this.#countFailure(error);
    }
  }

  /** @param {RequestError} error */
  #countFailure(error) {
    if (isKeyTaken(error)) return this.#giveUpSeed();
    this.#errors.countFailure(error);
    if (!isPassing(error) && !isRefusedAccess(error.status)) return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow < MAX_FAILURES_IN_A_ROW) return;
    this.#sent.failure = `The server took none of the last ${MAX_FAILURES_IN_A_ROW} users. ${sentence(error.message)}`;
    this.abandon();
  }

  /** One such answer says it of all: what is under way gets its answer, and nothing more is sent. */
  #giveUpSeed() {
    this.#sent.isSeedTaken = true;
    this.#sent.failure = "This seed has other users already, from another source. Take another seed, or the source of before.";
    this.#stop.abort();
  }
}
