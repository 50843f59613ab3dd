/** How a run went, as the server judges it: both databases compared, and who was lost. */

import { listHappenings } from "/client/live/happenings.js";
import { addressOf } from "/client/page/address.js";
import { make } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { ask, getJson, refusal } from "/client/page/http.js";
import { aggregate, capital, kind } from "/client/page/kinds.js";
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

/**
 * Show this verdict in there.
 *
 * @param {Element} container
 * @param {Verdict} verdict
 */
export function showVerdict(container, verdict) {
  const figures = figuresOf(verdict);
  const happened = make("ol", { class: "happened" });
  listHappenings(happened, verdict.happenings);
  const shown = [
    make("p", { class: "judgement", "data-good": String(verdict.isGood) }, format.sentence(verdict.sentence)),
    make("dl", { class: "verdict-figures" }, ...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    make("p", { class: "hint" }, explained(verdict)),
    verdict.happenings.length > 0 ? make("section", { class: "card" }, make("h2", {}, "What happened"), happened) : null,
    named("differing", "Differing", verdict.compared.named),
    named("rescued", "Rescued: finished by another instance than their own", verdict.namedRescued),
    named("letters", "Dead letters", verdict.namedLetters),
  ];
  container.replaceChildren(...shown.filter((each) => each));
}

/** @param {Verdict} verdict @returns {[string, string][]} */
function figuresOf(verdict) {
  const { acknowledged: told, compared, lagMs } = verdict;
  const ofTold = (/** @type {number | undefined} */ sent, /** @type {number} */ stored) => (sent === undefined ? format.count(stored) : `${format.count(stored)} of ${format.count(sent)}`);
  const different = Object.values(/** @type {Record<string, number>} */ (compared.differences)).reduce((sum, number) => sum + number, 0);
  return [
    ["Acknowledged", format.count(told?.create)],
    ["Created", format.count(verdict.created)],
    ["Updates", ofTold(told?.update, verdict.updated)],
    ["Deletes", ofTold(told?.delete, verdict.deleted)],
    ["In PostgreSQL now", format.count(verdict.inPostgresql)],
    ["In MongoDB now", format.count(verdict.inMongodb)],
    ["Synchronized", format.count(verdict.synchronized)],
    ["Lost", format.count(verdict.lost)],
    ["Doubled", format.count(verdict.doubled)],
    ["Compared", format.count(compared.checked)],
    ["Equal", format.count(compared.equal)],
    ["Differing", format.count(different)],
    ["Still on their way", format.count(verdict.pending)],
    ["Dead letters", format.count(verdict.deadLetters)],
    ["Rescued", format.count(verdict.rescued)],
    ["Longest rescue", format.duration(verdict.longestRescueSeconds)],
    ["Took", format.duration(verdict.seconds)],
    ["Per second, mean", format.count(verdict.usersPerSecond)],
    ["Lag p99", format.milliseconds(lagMs?.p99)],
    ["Longest lag", format.duration(verdict.longestLagSeconds)],
    ["Instances", format.count(verdict.instances.length)],
    ["Deaths seen", format.count(verdict.deaths)],
  ];
}

/** @param {Verdict} verdict */
function explained({ acknowledged, countedBy }) {
  const who = { browser: "The browser that sent the run", server: "The generator on the server" }[/** @type {string} */ (countedBy)] ?? "Its sender";
  return acknowledged ? `${who} has counted what was acknowledged.` : "Nobody has said how much was acknowledged, so whether something is lost is not known.";
}

/** Whom to look at, each with the reason. @param {string} id @param {string} title @param {{ id: string, why: string }[]} those */
function named(id, title, those) {
  if (those.length === 0) return null;
  const items = those.map((one) => make("li", {}, make("a", { href: addressOf("users", { id: one.id, aggregate: aggregate() }) }, `${capital(kind().name)} ${one.id}`), ` ${one.why}`));
  return make("details", { class: "card named", id: `named-${id}` }, make("summary", {}, `${title} (${those.length})`), make("ul", {}, ...items));
}
