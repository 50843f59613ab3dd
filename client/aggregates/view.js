/** What there is of an installed aggregate: a list, and one with its document and its history. */

import { addressOf } from "/client/page/address.js";
import { element, make, setText } from "/client/page/dom.js";
import { dateAndTime } from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";
import { aggregate, capital, kind } from "/client/page/kinds.js";
import { valuesOf } from "/client/users/difference.js";
import { ASKING, changesOf, fetchSide } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Side} Side */
/** @typedef {import("/client/users/versions.js").Versions} Versions */

const PAGE = 25;
/** So many of a document's fields are listed, those that are single values of its own. */
const MAX_FIELDS = 5;
const isOwn = (/** @type {string} */ name) => !name.includes(".") && name !== "currentStatus";

export class AggregatesView {
  #leave = new AbortController();
  #shown = "";

  /** @param {Versions} versions */
  constructor(versions) {
    this.versions = versions;
  }

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.#leave.abort();
    const { signal } = (this.#leave = new AbortController());
    const id = parameters.get("id");
    element("member-list").hidden = id !== null;
    element("member").hidden = id === null;
    try {
      await (id === null ? this.#showList(parameters, signal) : this.#showOne(id, parameters.get("version"), signal));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      setText("members-state", `It could not be read. ${error.sentence}`);
    }
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
    if (this.#shown) this.versions.leave();
    this.#shown = "";
  }

  /** @param {URLSearchParams} parameters @param {AbortSignal} signal */
  async #showList(parameters, signal) {
    setText("members-title", capital(kind().plural));
    setText("members-state", "Asking MongoDB…");
    const seed = parameters.get("seed") ?? "";
    const query = new URLSearchParams({ limit: String(PAGE), after: parameters.get("after") ?? "0", ...(seed && { seed }) });
    const found = await getJson(`/api/v1/${kind().name}-query?${query}`, signal);
    if (found.length || parameters.has("after")) setText("members-state", found.length ? `As readers get them, from MongoDB${seed && `, of run ${seed}`}.` : `No more ${kind().plural}.`);
    else sayEmpty(seed);
    element("member-rows").replaceChildren(...found.map(rowOf));
    const next = element("next-members");
    next.hidden = found.length < PAGE;
    next.href = addressOf("users", { aggregate: aggregate(), seed, after: String(found.at(-1)?._id) });
  }

  /** @param {string} id @param {string | null} version @param {AbortSignal} signal */
  async #showOne(id, version, signal) {
    const { name } = kind();
    const rowsUrl = `/api/v1/${name}-command/${encodeURIComponent(id)}`;
    if (this.#shown !== rowsUrl) {
      const address = (/** @type {string} */ at) => addressOf("users", { aggregate: name, id, version: at });
      this.versions.begin({ rowsUrl, address, stateOf: (found) => found.state }, version);
      this.#shown = rowsUrl;
    }
    element("members").append(element("history"));
    setText("members-title", `${capital(name)} ${id}`);
    setText("members-state", "Asking both databases…");
    const [rows, document] = await Promise.all([eventsOf(rowsUrl, signal), fetchSide(`/api/v1/${name}-query/${encodeURIComponent(id)}`, signal)]);
    if (signal.aborted) return;
    setText("members-state", rows.problem || (rows.version ? `Of run ${rows.events[0].seed}` : `PostgreSQL has no ${name} ${id}.`));
    setText("member-words", document.problem || (document.found ? `Version ${document.version}` : `MongoDB has no ${name} ${id}.`));
    element("member-document").hidden = !document.found;
    setText("member-document", document.found ? JSON.stringify(document.found, null, 2) : "");
    this.versions.update(rows);
  }
}

/** @param {string} seed */
function sayEmpty(seed) {
  const where = seed ? ` of run ${seed}` : "";
  element("members-state").replaceChildren(`There are no ${kind().plural}${where} yet. `, make("a", { href: "/api" }, "The API"), " says how to send one.");
}

/** What PostgreSQL knows to have happened. @param {string} rowsUrl @param {AbortSignal} signal @returns {Promise<Side>} */
async function eventsOf(rowsUrl, signal) {
  const side = await fetchSide(`${rowsUrl}/events`, signal);
  if (side.state !== "found") return side;
  const rows = { ...ASKING, state: side.state, events: side.found };
  return { ...rows, version: changesOf(rows).at(-1)?.version ?? 0 };
}

/** @param {any} document */
function rowOf(document) {
  const id = String(document._id);
  const fields = [...valuesOf(document)].filter(([name]) => isOwn(name)).slice(0, MAX_FIELDS);
  const cells = { Version: document.version, Run: document.seed, Created: dateAndTime(document.createdAt), Fields: fields.map((field) => field.join(": ")).join(", ") };
  const link = make("a", { href: addressOf("users", { aggregate: aggregate(), id }) }, id);
  return make("tr", {}, make("th", { scope: "row" }, link), ...Object.entries(cells).map(([name, cell]) => make("td", { "data-name": name }, String(cell))));
}
