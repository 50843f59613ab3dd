/** What a seed has already: someone may run it twice, and a run counts only its own users. */

import { getJson } from "/client/page/http.js";

/** @typedef {{ stored: number, synchronized: number, deadLetters: number }} Totals */

/**
 * @param {string} seed
 * @param {AbortSignal} signal
 * @returns {Promise<Totals>}
 * @throws {import("/client/page/http.js").RequestError} No statistics to be had.
 */
export async function totalsOf(seed, signal) {
  const rows = await getJson(`/api/v1/stats?seed=${encodeURIComponent(seed)}`, signal);
  return { stored: sum(rows, "total"), synchronized: sum(rows, "synchronized"), deadLetters: sum(rows, "deadLetters") };
}

/** @param {Record<string, number>[]} rows @param {string} column */
function sum(rows, column) {
  return rows.reduce((total, row) => total + row[column], 0);
}
