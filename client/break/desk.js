/** The desk beside the stack: what may be broken there, and users from the server. Where there is none, `/lab` is a 404. */

import { RequestError, refusal } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { access, authorization, isRefusedAccess } from "/client/page/token.js";

/** @typedef {{ name: string, title: string, what: string, targets: string[], hasSeconds: boolean }} Fault */
/** @typedef {{ name: string, title: string, what: string }} Preset */
/** @typedef {{ id: number, fault: string, target: string, seed: string | null, beganAt: string, endedAt: string | null, state: "going on" | "over" | "failed", text: string }} Struck */
/** @typedef {{ create: number, update: number, delete: number }} Mix */
/**
 * @typedef {object} Load
 * @property {string} seed
 * @property {number} users How many are to be created.
 * @property {number | null} rate
 * @property {number} connections
 * @property {Mix} mix
 * @property {"preparing" | "sending" | "stopped" | "done" | "failed"} state
 * @property {number} sent
 * @property {Mix} acknowledged
 * @property {number} failed
 * @property {number} sentAgain
 * @property {number} perSecond
 * @property {string} startedAt
 * @property {number} seconds
 * @property {string} reason
 */
/** @typedef {{ faults: Fault[], presets: Preset[], load: Load | null, struck: Struck[], peers: string[], limits: { users: number, rate: number, connections: number, seconds: number } }} Lab */

const TIMEOUT_MS = 10_000;
/** While something is going on, and while nothing is. */
const BUSY_MS = 1_000;
const IDLE_MS = 4_000;

/**
 * Follow the desk for as long as the page is open and somebody looks; not at all where there is none.
 *
 * @param {(lab: Lab | null) => void} show What it says; null where it wants a better access token.
 */
export async function watchDesk(show) {
  for (;;) {
    const { signal } = (wakening = new AbortController());
    let pause = IDLE_MS;
    try {
      const lab = document.hidden ? null : /** @type {Lab} */ (await talk("GET", "/lab", undefined, signal));
      if (lab) show(lab);
      if (lab && isBusy(lab)) pause = BUSY_MS;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.status === 404) return;
      if (isRefusedAccess(error.status)) show(null);
    }
    await sleep(pause, signal).catch(() => {});
  }
}

let wakening = new AbortController();
for (const [where, name] of /** @type {[EventTarget, string][]} */ ([[document, "visibilitychange"], [access, "changed"]])) where.addEventListener(name, () => lookAgain());

/** Do not wait for the next look: something has just been asked for. */
export function lookAgain() {
  wakening.abort();
}

/** @param {Lab} lab */
function isBusy({ load, struck }) {
  return load?.state === "preparing" || load?.state === "sending" || struck.some(({ state }) => state === "going on");
}

/**
 * Ask the desk for something.
 *
 * @param {"GET" | "POST" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [json]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 * @throws {RequestError} It refuses, or no answer came. `sentence` is for people.
 */
export async function talk(method, path, json, signal) {
  const headers = { ...authorization(path), ...(json !== undefined && { "Content-Type": "application/json" }) };
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(path, { method, headers, body: JSON.stringify(json), credentials: "omit", signal: signal ? AbortSignal.any([signal, limit]) : limit });
    const body = await response.json().catch(() => undefined);
    if (!response.ok) throw refusal({ status: response.status, body, retryAfterMs: null });
    return body;
  } catch (error) {
    throw error instanceof RequestError ? error : new RequestError("The desk does not answer");
  }
}
