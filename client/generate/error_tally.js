/** Errors grouped by kind. What a server may say is without limit; the number of groups is not. */

/** @typedef {{ kind: string, retried: number, failed: number }} ErrorGroup Attempts sent again, and users given up. */

const MAX_GROUPS = 12;
const OTHER = "Other errors";

export class ErrorTally {
  /** @type {Map<string, ErrorGroup>} */
  #groups = new Map();
  failed = 0;

  /** @param {Error} error An attempt that will be made again. */
  countRetry(error) {
    this.#group(error.message).retried += 1;
  }

  /** @param {Error} error Why a user was given up. */
  countFailure(error) {
    this.failed += 1;
    this.#group(error.message).failed += 1;
  }

  /** @returns {ErrorGroup[]} In the order in which the kinds were met. */
  groups() {
    return [...this.#groups.values()];
  }

  /** @param {string} wanted @returns {ErrorGroup} */
  #group(wanted) {
    const kind = this.#groups.has(wanted) || this.#groups.size < MAX_GROUPS ? wanted : OTHER;
    const group = this.#groups.get(kind) ?? { kind, retried: 0, failed: 0 };
    this.#groups.set(kind, group);
    return group;
  }
}
