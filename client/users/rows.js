/** A user in normal form: each table, with its row as names and values. */

import { make } from "/client/page/dom.js";
import { fieldOf } from "/client/users/columns.js";

/** Fields of `prm_user` are in the answer itself; what hangs off it is below these names. */
const BELOW = new Set(["location", "login", "picture", "events"]);

/** Of a user that was changed very often, these newest events stand for all. */
const MAX_EVENTS = 10;

/** @param {any} user What the command side answers; of a deleted user, its events are left. @returns {HTMLElement[]} */
export function tablesOf(user) {
  return rowsOf({ ...user, events: user.events.slice(-MAX_EVENTS) }).map(([table, row]) => tableOf(table, row));
}

/** @param {any} user What is said of the events that are not among its tables. */
export function leftOut({ events }) {
  return events.length > MAX_EVENTS ? ` The ${MAX_EVENTS} newest events are shown here.` : "";
}

/** @param {any} user */
export function rowCount(user) {
  const rows = rowsOf(user);
  return { count: rows.length, tables: new Set(rows.map(([table]) => table)).size };
}

/** @param {any} user @returns {[table: string, row: Record<string, any>][]} */
function rowsOf(user) {
  const { country, timezone, ...location } = user.location ?? {};
  const own = Object.fromEntries(Object.entries(user).filter(([name]) => !BELOW.has(name)));
  /** @type {[string, any][]} */
  const rows = [
    ["prm_user", Object.keys(own).length > 0 && own],
    ["prm_user_location", user.location && location],
    ["prm_country", country],
    ["prm_timezone", timezone],
    ["prm_user_login", user.login],
    ["prm_user_picture", user.picture],
    ...user.events.map((/** @type {any} */ event) => ["prm_user_event", event]),
  ];
  return rows.filter(([, row]) => row);
}

/** @param {string} table @param {Record<string, any>} row */
function tableOf(table, row) {
  const fields = Object.entries(row).filter(([, value]) => value !== null);
  const title = make("summary", {}, make("code", {}, table), row.eventType ? ` ${row.eventType}, version ${row.version}` : "");
  const values = make("dl", {}, ...fields.map(([column, value]) => columnOf(table, column, value)));
  return make("details", { class: "table", open: row.eventType ? null : "" }, title, values);
}

/** @param {string} table @param {string} column @param {any} value */
function columnOf(table, column, value) {
  const place = { "data-table": table, "data-column": column, "data-field": fieldOf(table, column) };
  return make("div", place, make("dt", {}, make("button", { type: "button" }, column)), make("dd", {}, ...valueOf(value)));
}

/** @param {any} value */
function valueOf(value) {
  if (typeof value !== "object") return [String(value)];
  return [make("pre", { tabindex: 0, "aria-label": "The event’s data" }, JSON.stringify(value, null, 2))];
}
