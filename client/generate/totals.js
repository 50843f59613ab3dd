/** What a seed has already: someone may run it twice, and a run counts only its own users. */

import { getJson } from "/client/page/http.js";

/** @typedef {{ stored: number, synchronized: number, deadLetters: number, firstCreatedMs: number, lastCreatedMs: number }} Totals The times are those of the oldest and the newest user, in milliseconds since 1970. */

/**
 * @param {string} seed
 * @param {AbortSignal} signal
 * @returns {Promise<Totals>}
 * @throws {import("/client/page/http.js").RequestError} No statistics to be had.
 */
export async function totalsOf(seed, signal) {
  const rows = await getJson(`/api/v1/stats?seed=${encodeURIComponent(seed)}`, signal);
  const lastCreatedMs = Math.max(0, ...rows.map((/** @type {any} */ { lastCreatedAt }) => Date.parse(lastCreatedAt ?? 0)));
  const firstCreatedMs = Math.min(...rows.map((/** @type {any} */ { firstCreatedAt }) => Date.parse(firstCreatedAt ?? "")).filter(Number.isFinite));
  return { stored: sum(rows, "total"), synchronized: sum(rows, "synchronized"), deadLetters: sum(rows, "deadLetters"), firstCreatedMs, lastCreatedMs };
}

/** @param {Record<string, number>[]} rows @param {string} column */
function sum(rows, column) {
  return rows.reduce((total, row) => total + row[column], 0);
}
