/** A user's two forms side by side, and which version each database has. */

import { element, setText } from "/client/page/dom.js";
import { plural } from "/client/page/format.js";
import { fieldsOf } from "/client/users/document.js";
import { watchAnew } from "/client/users/pairs.js";
import { leftOut, rowCount, tablesOf } from "/client/users/rows.js";
import { acknowledgementOf, isBehind, isErased } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */
/** @typedef {import("/client/users/side.js").Side} Side */

/** @param {string} id @param {Sides} sides @param {number} awaited The version that MongoDB is being asked for; 0 for none. */
export function showForms(id, sides, awaited) {
  showRows(id, sides.rows);
  showDocument(id, sides);
  showVersions(sides, awaited);
}

/** @param {string} id @param {Side} side */
function showRows(id, { state, found, events, problem }) {
  const user = found ?? { events };
  fill("rows", user, () => tablesOf(user));
  const { tables, count } = rowCount(user);
  setText("rows-words", {
    found: `Each fact stands once, in the table where it belongs: ${plural(count, "row", "rows")} in ${plural(tables, "table", "tables")}. That suits writing, for a change touches one place.${leftOut(user)}`,
    gone: `Nobody gets to see its rows any more. What happened to it is kept: ${plural(count, "event", "events")}.${leftOut(user)}`,
    asking: "Asking PostgreSQL…",
    absent: `PostgreSQL has no user ${id}.`,
    failed: `Not known. ${problem}`,
    unfit: "No user can have this id.",
  }[state]);
}

/** @param {string} id @param {Sides} sides */
function showDocument(id, { rows, document: { state, found, problem } }) {
  element("document").hidden = found === null;
  fill("document", found, () => (found ? fieldsOf(found) : []));
  const isComing = rows.found && !acknowledgementOf(rows, rows.version);
  const absent = isComing ? "No document yet. Until MongoDB has it, readers do not see this user." : `MongoDB has no user ${id}.`;
  setText("document-words", {
    found: "Everything that a reader wants, in one document. That suits reading, for one look-up brings it all.",
    gone: "",
    asking: "Asking MongoDB…",
    absent,
    failed: `Not known. ${problem}`,
    unfit: "No user can have this id.",
  }[state]);
}

/** @type {Record<string, string>} What is drawn where. */
const drawn = {};

/** What has not changed is left as it is, with what is unfolded in it, and with the keyboard's focus. @param {string} id @param {any} of @param {() => (Node | string)[]} draw */
function fill(id, of, draw) {
  const now = JSON.stringify(of);
  if (drawn[id] === now) return;
  drawn[id] = now;
  element(id).replaceChildren(...draw());
  watchAnew(element(id));
}

/** @param {Sides} sides @param {number} awaited */
function showVersions(sides, awaited) {
  const { rows, document } = sides;
  const isLate = isBehind(sides);
  showPill("rows-version", rows.version ? `version ${rows.version}${rows.state !== "gone" ? "" : isErased(rows) ? ", erased" : ", deleted"}` : "", false);
  const has = document.state === "found" ? `version ${document.version}` : document.state === "absent" ? "no document" : "";
  const missing = rows.state === "gone" ? "its deletion" : `version ${rows.version}`;
  showPill("document-version", has && isLate ? `${has}, ${awaited ? "waiting for" : "without"} ${missing}` : has, isLate);
}

/** @param {string} id @param {string} text @param {boolean} isBehind */
function showPill(id, text, isBehind) {
  const pill = element(id);
  pill.hidden = text === "";
  pill.dataset.state = isBehind ? "behind" : "there";
  setText(pill, text);
}
