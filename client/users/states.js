/** What a user, or an aggregate, was like at each version. What was once asked for is kept, for the way back. */

import { ask, refusal } from "/client/page/http.js";

/** @typedef {import("/client/users/versions.js").Subject} Subject */

const MAX_KNOWN = 50;
const TIMEOUT_MS = 15_000;

export class States {
  #of;
  /** @type {Map<number, any>} */
  #known = new Map();

  /** @param {Subject} of */
  constructor(of) {
    this.#of = of;
  }

  /**
   * @param {number} version
   * @param {AbortSignal} signal
   * @returns {Promise<any>} Null where there was nobody: before the first version, or once deleted.
   * @throws {import("/client/page/http.js").RequestError} No answer, or another one.
   * @throws {DOMException} `signal` was aborted.
   */
  async at(version, signal) {
    if (version === 0) return null;
    if (!this.#known.has(version)) this.#keep(version, await this.#ask(version, signal));
    return this.#known.get(version);
  }

  /** @param {number} version @param {AbortSignal} signal */
  async #ask(version, signal) {
    const answer = await ask(`${this.#of.rowsUrl}?version=${version}`, { signal, timeoutMs: TIMEOUT_MS });
    if (answer.status === 410) return null;
    if (answer.status !== 200) throw refusal(answer);
    return this.#of.stateOf(answer.body);
  }

  /** @param {number} version @param {any} state */
  #keep(version, state) {
    if (this.#known.size === MAX_KNOWN) this.#known.delete([...this.#known.keys()][0]);
    this.#known.set(version, state);
  }
}
