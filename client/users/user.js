/** One user in both forms, side by side, and what happened to it in between. */

import { element, make, setText } from "/client/page/dom.js";
import { listed, plural } from "/client/page/format.js";
import { unlessSlow } from "/client/page/slow.js";
import { nameOf } from "/client/users/person.js";
import { rowCount, tablesOf } from "/client/users/rows.js";
import { ASKING, fetchSide } from "/client/users/side.js";
import { storyOf } from "/client/users/story.js";

/** @typedef {import("/client/users/side.js").Side} Side */
/** @typedef {{ rows: Side, document: Side }} Sides PostgreSQL's and MongoDB's. */

export class UserView {
  #leave = new AbortController();
  #parameters = new URLSearchParams();

  constructor() {
    element("look-again").addEventListener("click", () => this.show(this.#parameters));
  }

  /** Both sides are shown together, unless one lets us wait. @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    const id = parameters.get("id") ?? "";
    this.#parameters = parameters;
    const { signal } = (this.#leave = new AbortController());
    /** @type {Sides} */
    const sides = { rows: ASKING, document: ASKING };
    let isSlow = false;
    showUser(id, sides);
    const look = async (/** @type {keyof Sides} */ name, /** @type {string} */ path) => {
      const side = await fetchSide(`/api/v1/${path}/${encodeURIComponent(id)}`, signal);
      if (signal.aborted) return;
      sides[name] = side;
      if (isSlow || (sides.rows !== ASKING && sides.document !== ASKING)) showUser(id, sides);
    };
    const both = Promise.all([look("rows", "user-command"), look("document", "user-query")]);
    await unlessSlow(both, () => {
      if (signal.aborted) return;
      isSlow = true;
      showUser(id, sides);
      setText("user-state", `${awaited(sides)} Still waiting.`);
    });
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }
}

/** @param {string} id @param {Sides} sides */
function showUser(id, { rows, document }) {
  setText("user-title", titleOf(id, rows.found, document.found));
  window.document.title = `${titleOf(id, rows.found, document.found)} · Tandem`;
  setText("user-state", stateOf(id, { rows, document }));
  element("story").replaceChildren(...storyOf(rows, document).map(({ when, what }) => make("li", {}, make("span", { class: "when" }, when), make("p", {}, what))));
  element("story-unknown").hidden = rows.state === "found";
  setText("story-unknown", rows.state === "asking" ? "Asking PostgreSQL…" : rows.state === "failed" ? "PostgreSQL keeps the events, and could not be asked." : "PostgreSQL has no event of it.");
  showRows(id, rows);
  showDocument(id, document, rows);
  const isDone = rows.found?.status === "SYNCRONIZED" && document.found !== null;
  element("look-again").hidden = isDone || rows.state === "asking" || rows.state === "unfit";
}

/** @param {string} id @param {any} rows @param {any} document */
function titleOf(id, rows, document) {
  const name = document ? nameOf(document) : [rows?.firstName, rows?.lastName].filter(Boolean).join(" ");
  return name || rows?.email || document?.email || `User ${id}`;
}

/** @param {string} id @param {Sides} sides */
function stateOf(id, { rows, document }) {
  if (rows.state === "unfit" || document.state === "unfit") return `“${id}” is no user’s id. An id is a whole number from 1 on.`;
  const problems = [rows.problem && `What PostgreSQL has is not known. ${rows.problem}`, document.problem && `What MongoDB has is not known. ${document.problem}`];
  if (problems.some(Boolean)) return problems.filter(Boolean).join(" ");
  if (rows.state === "asking" || document.state === "asking") return `Asking ${asked({ rows, document })}…`;
  if (rows.state === "absent" && document.state === "absent") return `Neither database has a user ${id}.`;
  if (rows.state === "absent") return `MongoDB has a user ${id}, but PostgreSQL does not.`;
  return `User ${id}, of run ${rows.found.seed}`;
}

/** @param {Sides} sides */
function asked({ rows, document }) {
  return listed([rows.state === "asking" ? "PostgreSQL" : "", document.state === "asking" ? "MongoDB" : ""].filter(Boolean));
}

/** @param {Sides} sides */
function awaited(sides) {
  const names = asked(sides);
  return names.includes(" and ") ? `${names} have not answered yet.` : `${names} has not answered yet.`;
}

/** @param {string} id @param {Side} side */
function showRows(id, { state, found, problem }) {
  element("rows").replaceChildren(...(found ? tablesOf(found) : []));
  if (!found) return setText("rows-words", { asking: "Asking PostgreSQL…", absent: `PostgreSQL has no user ${id}.`, failed: `Not known. ${problem}`, unfit: "No user can have this id.", found: "" }[state]);
  const { tables, count } = rowCount(found);
  setText("rows-words", `Each fact stands once, in the table where it belongs: ${plural(count, "row", "rows")} in ${plural(tables, "table", "tables")}. That suits writing, for a change touches one place.`);
}

/** @param {string} id @param {Side} side @param {Side} rows */
function showDocument(id, { state, found, problem }, rows) {
  element("document").hidden = found === null;
  setText("document", found ? JSON.stringify(found, null, 2) : "");
  const isComing = rows.found && rows.found.status !== "SYNCRONIZED";
  const absent = isComing ? "No document yet. Until MongoDB has it, readers do not see this user." : `MongoDB has no user ${id}.`;
  setText("document-words", {
    found: "Everything that a reader wants, in one document. That suits reading, for one look-up brings it all.",
    asking: "Asking MongoDB…",
    absent,
    failed: `Not known. ${problem}`,
    unfit: "No user can have this id.",
  }[state]);
}
