/** Follows one run: keeps the stream open, and comes back to whichever instance answers when it breaks. */

import { readEvents } from "/client/live/event_stream.js";
import { merged } from "/client/live/happenings.js";
import { addSample } from "/client/live/history.js";
import { RequestError } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";

/**
 * @typedef {object} Instance One life of an instance, and its part in this run.
 * @property {string} appId
 * @property {number | null} incarnation Null if it ended long ago.
 * @property {"ready" | "busy" | "silent" | "gone"} state
 * @property {number} queue
 * @property {number} total
 * @property {number} synchronized
 * @property {number} takenOver
 * @property {Record<string, number>} [tookOverFrom]
 * @property {number} pending
 * @property {number} [silentSeconds]
 * @property {number} [cell] Where there are several, the one that it belongs to.
 *
 * @typedef {object} Sample What the server says of the run, once a second.
 * @property {string} seed
 * @property {string | null} at By PostgreSQL’s clock; null if nothing was ever read.
 * @property {string} appId The instance that answers.
 * @property {{ accepted: number, stored: number, projected: number, synchronized: number }} stages
 * @property {number} deadLetters
 * @property {number} pending
 * @property {number | null} oldestPendingSeconds Null where none is pending, or other runs' users hide it.
 * @property {number | null} oldestPendingOfAllSeconds Of all runs: none of this one has waited for longer.
 * @property {{ now: number | null, p50: number | null, p99: number | null }} lagMs
 * @property {Instance[]} instances
 * @property {{ postgresql: "up" | "down", mongodb: "up" | "down" }} databases
 * @property {number[]} [silentCells] Cells of which a database does not answer.
 * @property {import("/client/live/happenings.js").Happening[]} [happenings] All that are kept, in the first event; then the new ones.
 * @property {import("/client/live/history.js").Point[]} [history] The past, in the first event of a connection.
 *
 * @typedef {{ state: "connecting" | "live" | "reconnecting" | "refused", reason: string }} Connection The reason is a
 *   sentence, and empty where nothing is wrong.
 */

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 8_000;

export class Feed {
  /** @type {Sample | null} The last one. */
  sample = null;
  /** @type {import("/client/live/history.js").Point[]} */
  history = [];
  /** @type {import("/client/live/happenings.js").Happening[]} */
  happenings = [];
  /** @type {Connection} */
  connection = { state: "connecting", reason: "" };

  #stop = new AbortController();
  #failures = 0;
  #retryMs = 1_000;

  /**
   * @param {string} seed
   * @param {string} aggregate Whose run it is; empty: users'.
   * @param {(feed: Feed, previous: Sample | null) => void} onChange Called with each sample, and when the connection changes.
   */
  constructor(seed, aggregate, onChange) {
    this.seed = seed;
    this.aggregate = aggregate;
    this.onChange = onChange;
  }

  /** Follow until `stop` is called, or the server refuses for good. Never throws. */
  start() {
    this.#keepFollowing().catch((error) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  async #keepFollowing() {
    for (;;) {
      try {
        await this.#follow();
        await this.#pause("The instance ended the stream.", this.#retryMs);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (isFinal(error)) return this.#change({ state: "refused", reason: error.sentence }, this.sample);
        await this.#pause(error.sentence, Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, MAX_PAUSE_MS));
        this.#failures += 1;
      }
    }
  }

  stop() {
    this.#stop.abort();
  }

  get #query() {
    const { seed, aggregate } = this;
    return new URLSearchParams({ seed, ...(aggregate && { aggregate }) });
  }

  async #follow() {
    for await (const { data, retryMs } of readEvents(`/api/v1/live?${this.#query}`, this.#stop.signal)) {
      if (retryMs !== null) this.#retryMs = Math.min(retryMs, MAX_PAUSE_MS);
      if (data !== null) this.#take(JSON.parse(data));
    }
  }

  /** @param {Sample} sample */
  #take(sample) {
    const previous = this.sample;
    this.#failures = 0;
    this.sample = sample;
    if (sample.history) this.history = sample.history;
    this.happenings = merged(sample.history ? [] : this.happenings, sample.happenings ?? []);
    this.history = addSample(this.history, sample);
    this.#change({ state: "live", reason: "" }, previous);
  }

  /** With chance in it, so that not all pages come back at once. @param {string} reason @param {number} mostMs */
  async #pause(reason, mostMs) {
    this.#change({ state: "reconnecting", reason }, this.sample);
    await sleep(mostMs * (0.5 + Math.random() / 2), this.#stop.signal);
  }

  /** @param {Connection} connection @param {Sample | null} previous */
  #change(connection, previous) {
    this.connection = connection;
    this.onChange(this, previous);
  }
}

/** Asking again would get the same answer. @param {RequestError} error */
function isFinal({ status }) {
  return status !== null && status < 500 && status !== 429;
}
