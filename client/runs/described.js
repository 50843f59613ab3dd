/** The described system's statistics query: its text as the server ran it, and what came of it. */

import { element, make, setText } from "/client/page/dom.js";
import { count, milliseconds, plural } from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";

/** The server gives up before this. */
const TIMEOUT_MS = 60_000;

/** @param {AbortSignal} signal */
export async function showDescribed(signal) {
  const button = element("run-described");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  setText("described-state", "Counting…");
  try {
    showResult(await getJson("/api/v1/stats/described", signal, TIMEOUT_MS));
  } catch (error) {
    if (!signal.aborted && !(error instanceof RequestError)) throw error;
    setText("described-state", signal.aborted ? "" : `The query did not end well. ${/** @type {RequestError} */ (error).sentence}`);
  } finally {
    button.setAttribute("aria-disabled", "false");
  }
}

/** @param {{ sql: string, columns: string[], rows: unknown[][], rowsInAll: number, seconds: number }} result */
function showResult({ sql, columns, rows, rowsInAll, seconds }) {
  const part = rows.length < rowsInAll ? `, of which the first ${count(rows.length)} are shown` : "";
  setText("described-state", `${plural(rowsInAll, "row", "rows")} in ${milliseconds(seconds * 1000)}${part}.`);
  setText("described-sql", sql);
  element("described-sql").hidden = false;
  const table = element("described-result");
  table.querySelector("thead").replaceChildren(make("tr", {}, ...columns.map((name, at) => make("th", { scope: "col", class: classOf(rows[0]?.[at]) }, name))));
  table.querySelector("tbody").replaceChildren(...rows.map((row) => make("tr", {}, ...row.map((value) => make("td", { class: classOf(value) }, textOf(value))))));
  table.hidden = false;
}

/** Numbers stand below each other. @param {unknown} value */
function classOf(value) {
  return typeof value === "number" ? "number" : null;
}

/** A row within a row is written as SQL has it. @param {unknown} value @returns {string} */
function textOf(value) {
  return Array.isArray(value) ? `(${value.map(textOf).join(", ")})` : String(value);
}
