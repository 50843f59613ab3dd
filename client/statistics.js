/** What the server counts for a seed, per instance, and what of it belongs to this run. */

import { RequestError, ask, refusal } from "/client/http.js";

/**
 * @typedef {object} Row What one instance accepted under one seed, as `/api/v1/stats` answers.
 * @property {string} appId
 * @property {number} total
 * @property {number} synchronized
 * @property {number} pending
 * @property {number} takenOver
 * @property {number} deadLetters
 * @property {{ p50: number | null, p95: number | null, p99: number | null } | null} lagMs
 */

const TIMEOUT_MS = 10_000;

/**
 * @param {string} seed
 * @param {AbortSignal} signal
 * @returns {Promise<Row[]>} A row per instance that accepted users under this seed.
 * @throws {RequestError} No statistics to be had.
 */
export async function fetchStatistics(seed, signal) {
  const answer = await ask(`/api/v1/stats?seed=${encodeURIComponent(seed)}`, { signal, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 200) throw refusal(answer);
  if (!Array.isArray(answer.body)) throw new RequestError("An answer that holds no statistics", { status: 200 });
  return answer.body;
}

/**
 * Take away what the seed had before the run: someone may run a seed twice. Lags stay those of the whole seed.
 *
 * @param {Row[]} rows
 * @param {Row[]} before
 * @returns {Row[]} Rows of the same form; never below zero, for users of before may have been pending.
 */
export function since(rows, before) {
  const earlier = new Map(before.map((row) => [row.appId, row]));
  return rows.map((row) => {
    const then = earlier.get(row.appId);
    if (!then) return row;
    const total = row.total - then.total;
    const deadLetters = Math.max(0, row.deadLetters - then.deadLetters);
    return {
      ...row,
      total,
      deadLetters,
      synchronized: Math.min(total - deadLetters, row.synchronized - then.synchronized),
      takenOver: Math.max(0, row.takenOver - then.takenOver),
    };
  });
}

/** @param {Row[]} rows @param {"total" | "synchronized" | "pending" | "deadLetters"} column */
export function sum(rows, column) {
  return rows.reduce((total, row) => total + row[column], 0);
}
