/** When the next user may go: not while the run is paused, and not faster than asked for. */

import { sleep } from "/client/page/sleep.js";

export class Pace {
  #intervalMs;
  #nextAt = 0;
  #resumed = Promise.resolve();
  #resume = () => {};
  isPaused = false;

  /** @param {number} perSecond 0 for as fast as it goes. */
  constructor(perSecond) {
    this.#intervalMs = perSecond > 0 ? 1000 / perSecond : 0;
  }

  pause() {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#resumed = new Promise((resolve) => (this.#resume = resolve));
  }

  resume() {
    this.isPaused = false;
    this.#resume();
  }

  /**
   * Wait for one's turn.
   *
   * @param {AbortSignal} signal
   * @throws {DOMException} `signal` was aborted.
   */
  async turn(signal) {
    await this.#slot(signal);
    while (this.isPaused) await Promise.race([this.#resumed, abortOf(signal)]);
    signal.throwIfAborted();
  }

  /** @param {AbortSignal} signal */
  async #slot(signal) {
    signal.throwIfAborted();
    if (this.#intervalMs === 0) return;
    const now = performance.now();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#intervalMs;
    if (at > now) await sleep(at - now, signal);
  }
}

/** @param {AbortSignal} signal @returns {Promise<never>} */
function abortOf(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason); // its event has passed already
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
