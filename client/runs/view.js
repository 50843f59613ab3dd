/** A list of runs with their statistics, newest first, and the described query with its result. */

import { showDescribed } from "/client/runs/described.js";
import { addressOf } from "/client/page/address.js";
import { silenceOf } from "/client/page/cells.js";
import { element, make, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";
import { aggregate, capital, isOfUsers, kind } from "/client/page/kinds.js";
import { unlessSlow } from "/client/page/slow.js";

const PAGE = 25;

export class RunsView {
  #leave = new AbortController();

  constructor() {
    element("run-described").addEventListener("click", () => showDescribed(this.#leave.signal));
  }

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    const before = parameters.get("before");
    const query = new URLSearchParams({ limit: String(PAGE), ...(before && { before }), ...(aggregate() && { aggregate: aggregate() }) });
    try {
      setText("runs-state", "Reading the list…");
      const answer = getJson(`/api/v1/runs?${query}`, signal);
      const { runs, next, verdicts, silentCells } = await unlessSlow(answer, () => !signal.aborted && saySlow());
      showRuns(runs, next, before !== null, verdicts);
      if (silentCells) setText("runs-state", silenceOf(silentCells));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      element("run-list").hidden = true;
      // Where the server says when to try again, its sentence asks for that already.
      const again = error.retryAfterMs === null ? " Reload the page to try again." : "";
      setText("runs-state", `The list could not be read. ${error.sentence}${again}`);
    }
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }
}

function sayEmpty() {
  const link = make("a", { href: addressOf("live") }, "Generate some users in the live view");
  element("runs-state").replaceChildren("No run yet.", ...(isOfUsers() ? [" ", link, "."] : []));
}

function saySlow() {
  setText("runs-state", "Reading the list… PostgreSQL’s side has not answered yet.");
}

/** @param {any[]} runs @param {string | null} next @param {boolean} isLater @param {Record<string, any>} verdicts By seed. */
function showRuns(runs, next, isLater, verdicts) {
  if (runs.length === 0 && !isLater) sayEmpty();
  else setText("runs-state", runs.length ? "" : "No older run.");
  element("run-list").hidden = runs.length === 0;
  element("run-rows").replaceChildren(...runs.map((run) => rowOf(run, verdicts[run.seed])));
  element("newest-runs").hidden = !isLater;
  element("older-runs").hidden = next === null;
  element("older-runs").href = addressOf("runs", { before: next ?? "", aggregate: aggregate() });
}

/** @param {any} run @param {any} verdict Undefined where nobody has asked for one. */
function rowOf(run, verdict) {
  const many = capital(kind().plural);
  const last = `Last ${kind().name}`;
  const link = make("a", { href: addressOf("live", { seed: run.seed, aggregate: aggregate() }) }, run.seed);
  const cells = {
    Verdict: make("a", { href: addressOf("runs", { seed: run.seed, aggregate: aggregate() }), ...(verdict && { "data-good": verdict.isGood }) }, verdict?.sentence ?? "not judged yet"),
    [many]: make("a", { href: addressOf("users", { seed: run.seed, aggregate: aggregate() }) }, format.count(run.total)),
    Synchronized: run.total > 0 ? synchronizedOf(run) : format.DASH,
    "Dead letters": linked(run.deadLetters, addressOf("letters", { seed: run.seed, aggregate: aggregate() })),
    "Taken over": linked(run.takenOver, addressOf("runs", { seed: run.seed, aggregate: aggregate(), show: "rescued" })),
    Duration: format.duration(run.durationSeconds),
    "Per second": format.count(run.usersPerSecond),
    "Lag p99": format.milliseconds(run.lagMs?.p99),
    [last]: format.dateAndTime(run.lastCreatedAt),
  };
  return make("tr", {}, make("th", { scope: "row" }, link), ...Object.entries(cells).map(([name, cell]) => make("td", { "data-name": name, class: name === last ? null : name === "Verdict" ? "verdict" : "number" }, cell)));
}

/** A number, with who is meant behind it. @param {number} number @param {string} address */
function linked(number, address) {
  return number > 0 ? make("a", { href: address }, format.count(number)) : format.count(number);
}

/** @param {any} run */
function synchronizedOf({ total, synchronized }) {
  return synchronized === total ? "all" : `${format.count(synchronized)} (${Math.floor((synchronized / total) * 100)} %)`;
}
