/** How a run went, as the server judges it: both databases compared, and who was lost. */

import { make } from "/client/page/dom.js";
import { ask, getJson, refusal } from "/client/page/http.js";
import { aggregate } from "/client/page/kinds.js";
import { sleep } from "/client/page/sleep.js";

/** @typedef {{ create: number, update: number, delete: number }} Acknowledged What the sender got an answer for. */
/** @typedef {any} Verdict As `/api/v1/runs/{seed}/verdict` answers it. */

/** @param {string} seed @param {string} [form] ".html" for a file. */
export function addressOfVerdict(seed, form = "") {
  const query = aggregate() && `?aggregate=${aggregate()}`;
  return `/api/v1/runs/${encodeURIComponent(seed)}/verdict${form}${query}`;
}

/**
 * Have both databases compared for this run, and wait for the verdict.
 *
 * @param {string} seed
 * @param {Acknowledged | null} acknowledged
 * @param {"browser" | "server" | null} countedBy
 * @param {AbortSignal} signal
 * @returns {Promise<Verdict>}
 * @throws {import("/client/page/http.js").RequestError} There is no verdict.
 * @throws {DOMException} `signal` was aborted.
 */
export async function judge(seed, acknowledged, countedBy, signal) {
  const command = { method: /** @type {const} */ ("POST"), idempotencyKey: `verdict ${Date.now()}`, json: { acknowledged, countedBy } };
  const answer = await ask(addressOfVerdict(seed), { command, signal, timeoutMs: 20_000 });
  if (answer.status !== 200) throw refusal(answer);
  let verdict = answer.body;
  while (verdict.state === "comparing") {
    await sleep(1_000, signal);
    verdict = await getJson(addressOfVerdict(seed), signal);
  }
  return verdict;
}

/** Show this verdict in there. @param {Element} container @param {Verdict} verdict */
export function showVerdict(container, verdict) {
  container.replaceChildren(make("p", {}, verdict.sentence));
}
