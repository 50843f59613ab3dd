/** The run's two lists: its instances, and its errors. Their rows are made once and then only get new text. */

import * as format from "/client/format.js";

/** @typedef {import("/client/run.js").Run} Run */

/** @typedef {string[]} Cells The texts of one row. */

/**
 * What the 201 answers say is there at once; what the statistics say comes with the next look at them.
 *
 * @param {Run} run
 * @returns {Cells[]} A row per instance, by name.
 */
export function instanceRows(run) {
  const statistics = new Map(run.rows.map((row) => [row.appId, row]));
  return [...run.acceptedBy.keys()].sort(new Intl.Collator("en", { numeric: true }).compare).map((appId) => {
    const accepted = run.acceptedBy.get(appId) ?? 0;
    const row = statistics.get(appId);
    return [
      appId,
      format.count(accepted),
      format.count(Math.min(accepted, row?.synchronized ?? 0)),
      format.count(row?.takenOver ?? 0),
      format.milliseconds(row?.lagMs?.p50),
      format.milliseconds(row?.lagMs?.p99),
    ];
  });
}

/** @param {Cells[]} rows */
export function showInstances(rows) {
  fill("instances", rows, () => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    row.append(name, ...Array.from({ length: 5 }, () => document.createElement("td")));
    row.children[3].className = "wide";
    return row;
  });
}

/** @param {Run} run @returns {Cells[]} A row per kind of error: what it was, and what came of it. */
export function errorRows({ errors, refused, statisticsError }) {
  const rows = errors.groups().map(({ kind, retried, failed }) => [kind, outcome(retried, failed)]);
  if (refused) rows.push(["Refused by MongoDB (“tandem dead-letters list” says why)", `${format.count(refused)} set aside`]);
  if (statisticsError) rows.push([`Statistics: ${statisticsError}`, "asking again"]);
  return rows;
}

/** @param {Cells[]} rows */
export function showErrors(rows) {
  fill("errors", rows, () => {
    const item = document.createElement("li");
    item.append(document.createElement("span"), document.createElement("b"));
    return item;
  });
}

/** @param {number} retried @param {number} failed */
function outcome(retried, failed) {
  const parts = [retried && `${format.count(retried)} sent again`, failed && `${format.count(failed)} given up`];
  return parts.filter(Boolean).join(", ");
}

/** @type {Map<string, Node[]>} What each list shows while it is empty. */
const placeholders = new Map();

/**
 * Give a list these rows.
 *
 * @param {string} id
 * @param {Cells[]} rows
 * @param {() => HTMLElement} makeRow
 */
function fill(id, rows, makeRow) {
  const list = /** @type {HTMLElement} */ (document.getElementById(id));
  if (!placeholders.has(id)) placeholders.set(id, [...list.childNodes]);
  const placeholder = placeholders.get(id) ?? [];
  if (rows.length === 0) {
    if (list.firstChild !== placeholder[0]) list.replaceChildren(...placeholder);
    return;
  }
  if (list.firstChild === placeholder[0]) list.replaceChildren();
  while (list.children.length < rows.length) list.append(makeRow());
  while (list.children.length > rows.length) list.lastElementChild?.remove();
  rows.forEach((cells, index) => setCells(list.children[index], cells));
}

/** @param {Element} row @param {Cells} cells */
function setCells(row, cells) {
  cells.forEach((text, index) => {
    const cell = row.children[index];
    if (cell.textContent !== text) cell.textContent = text;
  });
}
