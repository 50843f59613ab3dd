/** One user in both forms, side by side, and what happened to it in between. */

import { element, make, setText } from "/client/page/dom.js";
import { plural } from "/client/page/format.js";
import { RequestError, ask, refusal } from "/client/page/http.js";
import { nameOf } from "/client/users/person.js";
import { rowCount, tablesOf } from "/client/users/rows.js";
import { storyOf } from "/client/users/story.js";

/** @typedef {{ found: any, problem: string | null }} Side What one side says of the user. */

const TIMEOUT_MS = 15_000;
/** @type {Side} */
const NOTHING = { found: null, problem: null };

export class UserView {
  #leave = new AbortController();
  #parameters = new URLSearchParams();

  constructor() {
    element("look-again").addEventListener("click", () => this.show(this.#parameters));
  }

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    const id = parameters.get("id") ?? "";
    if (id !== this.#parameters.get("id")) showUser(id, NOTHING, NOTHING);
    this.#parameters = parameters;
    const { signal } = (this.#leave = new AbortController());
    setText("user-state", "Asking both sides…");
    const [rows, document] = await Promise.all([
      fetchSide(`/api/v1/user-command/${encodeURIComponent(id)}`, signal),
      fetchSide(`/api/v1/user-query/${encodeURIComponent(id)}`, signal),
    ]);
    if (!signal.aborted) showUser(id, rows, document);
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }
}

/**
 * One side may be away while the other answers: each is asked for itself.
 *
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Side>}
 */
async function fetchSide(url, signal) {
  try {
    const answer = await ask(url, { signal, timeoutMs: TIMEOUT_MS });
    if (answer.status === 404) return { found: null, problem: null };
    return answer.status === 200 ? { found: answer.body, problem: null } : { found: null, problem: refusal(answer).message };
  } catch (error) {
    return { found: null, problem: error instanceof RequestError ? error.message : null };
  }
}

/** @param {string} id @param {Side} rows @param {Side} document */
function showUser(id, rows, document) {
  setText("user-title", titleOf(id, rows.found, document.found));
  window.document.title = `${titleOf(id, rows.found, document.found)} · Tandem`;
  const problems = [rows.problem && `PostgreSQL’s side did not answer: ${rows.problem}.`, document.problem && `MongoDB’s side did not answer: ${document.problem}.`];
  setText("user-state", stateOf(id, rows, document) || problems.filter(Boolean).join(" "));
  element("story").replaceChildren(...storyOf(rows.found, document.found).map(({ when, what }) => make("li", {}, make("span", { class: "when" }, when), make("p", {}, what))));
  showRows(rows.found);
  showDocument(document.found);
  element("look-again").hidden = rows.found?.status === "SYNCRONIZED" && document.found !== null;
}

/** @param {string} id @param {any} rows @param {any} document */
function titleOf(id, rows, document) {
  const name = document ? nameOf(document) : [rows?.firstName, rows?.lastName].filter(Boolean).join(" ");
  return name || rows?.email || document?.email || `User ${id}`;
}

/** @param {string} id @param {Side} rows @param {Side} document */
function stateOf(id, rows, document) {
  if (rows.problem || document.problem) return "";
  if (!rows.found && !document.found) return `Neither database has a user ${id}.`;
  return `User ${id}, of run ${(rows.found ?? document.found).seed}`;
}

/** @param {any} rows */
function showRows(rows) {
  element("rows").replaceChildren(...(rows ? tablesOf(rows) : []));
  if (!rows) return setText("rows-words", "Nothing to show.");
  const { tables, count } = rowCount(rows);
  setText("rows-words", `Each fact stands once, in the table where it belongs: ${plural(count, "row", "rows")} in ${plural(tables, "table", "tables")}. That suits writing, for a change touches one place.`);
}

/** @param {any} document */
function showDocument(document) {
  element("document").hidden = document === null;
  setText("document", document ? JSON.stringify(document, null, 2) : "");
  const words = "Everything that a reader wants, in one document. That suits reading, for one look-up brings it all.";
  setText("document-words", document ? words : "No document yet. Until MongoDB has it, readers do not see this user.");
}
