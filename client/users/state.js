/** Where a user stands, in a sentence. */

import { listed, momentOf } from "/client/page/format.js";
import { nameOf } from "/client/users/person.js";
import { changesOf, isErased } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */

/** Nobody is called by name once deleted. @param {string} id @param {Sides} sides */
export function titleOf(id, { rows, document }) {
  if (rows.state === "gone") return `User ${id}`;
  const name = rows.found ? nameOf({ name: { first: rows.found.firstName, last: rows.found.lastName } }) : nameOf(document.found ?? {});
  return name || rows.found?.email || document.found?.email || `User ${id}`;
}

/** @param {string} id @param {Sides} sides */
export function stateOf(id, sides) {
  const { rows, document } = sides;
  if (rows.state === "unfit" || document.state === "unfit") return `“${id}” is no user’s id. An id is a whole number from 1 on.`;
  const problems = [rows.problem && `What PostgreSQL has is not known. ${rows.problem}`, document.problem && `What MongoDB has is not known. ${document.problem}`];
  if (problems.some(Boolean)) return problems.filter(Boolean).join(" ");
  if (rows.state === "asking" || document.state === "asking") return `Asking ${asked(sides)}…`;
  if (rows.state === "gone") return goneState(id, rows);
  if (rows.state === "absent" && document.state === "absent") return `Neither database has a user ${id}.`;
  if (rows.state === "absent") return `MongoDB has a user ${id}, but PostgreSQL does not.`;
  return `User ${id}, of run ${rows.found.seed}`;
}

/** @param {string} id @param {import("/client/users/side.js").Side} rows */
function goneState(id, rows) {
  const { seed, appId, createdAt } = changesOf(rows).at(-1);
  const done = (/** @type {string} */ what) => `User ${id}, of run ${seed}, was ${what} on ${momentOf(createdAt)} by ${appId}.`;
  if (isErased(rows)) return `${done("erased")} Nothing is left of the person, only when there was which version.`;
  return `${done("deleted")} Readers do not find it any more. Its history is still there.`;
}

/** Who has not answered. @param {Sides} sides */
export function awaited(sides) {
  const names = asked(sides);
  return names.includes(" and ") ? `${names} have not answered yet.` : `${names} has not answered yet.`;
}

/** @param {Sides} sides */
function asked({ rows, document }) {
  return listed([rows.state === "asking" ? "PostgreSQL" : "", document.state === "asking" ? "MongoDB" : ""].filter(Boolean));
}
