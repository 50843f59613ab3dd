/** The steps of one version of a user, from the command to the acknowledgement: what is recorded of each, and no more. */

import { listed, milliseconds, timeOfDay } from "/client/page/format.js";
import { tablesOf } from "/client/users/columns.js";
import { acknowledgementOf, changesOf } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */
/** @typedef {import("/client/follow/sent.js").Sent} Sent */
/**
 * @typedef {object} Step
 * @property {string} title
 * @property {"done" | "waiting" | "unknown"} state
 * @property {string} when
 * @property {string} what What happens in it.
 * @property {string} died What would be lost if the instance died just there, and who would go on.
 * @property {[name: string, value: string][]} trace What is there to be seen of it.
 * @property {any} json What was sent or stored; undefined for nothing.
 * @property {string} note Where the trace comes from.
 */
/** @typedef {{ id: string, sides: Sides, version: number, change: any, acknowledged: any, later: any, sent?: Sent }} About */

/** What each kind of change is asked for by, answered with, and what it brings to MongoDB. */
const KINDS = /** @type {Record<string, { method: string, status: number, rows: string, brings: string }>} */ ({
  CREATED: { method: "POST", status: 201, rows: "the user’s rows", brings: "The event has an instance write the whole user to MongoDB, as one document." },
  UPDATED: { method: "PATCH", status: 200, rows: "the change to the user’s rows", brings: "The event has an instance write the whole user to MongoDB again, in place of the version before." },
  DELETED: { method: "DELETE", status: 204, rows: "to the user’s row that it is deleted", brings: "The event has an instance put a tombstone in the place of the document: it says that there was one, and readers find nobody." },
  ERASED: { method: "DELETE", status: 204, rows: "over all that was known of the person", brings: "The event has an instance put a tombstone in the place of the document: it says that there was one, and readers find nobody." },
});

/** How long a dead instance's work waits for another one, where nothing else is set. */
const LEASE = "5 seconds, where nothing else is set";

/**
 * @param {string} id
 * @param {Sides} sides
 * @param {number} version
 * @param {Sent} [sent] The command, if this tab sent it.
 * @returns {Step[]} None where PostgreSQL does not tell.
 */
export function stepsOf(id, sides, version, sent) {
  const change = changesOf(sides.rows).find((event) => event.version === version);
  if (!change) return [];
  const acknowledged = acknowledgementOf(sides.rows, version);
  const later = sides.rows.events.find((event) => event.eventType === "SYNCRONIZED" && event.version > version);
  const about = { id, sides, version, change, acknowledged, later, sent };
  return [command(about), commit(about), pending(about), projection(about), acknowledgement(about)];
}

/** How long all of it took, or why that is not known. @param {Sides} sides @param {number} version @returns {string} */
export function summaryOf({ rows }, version) {
  if (rows.state === "asking") return "Asking PostgreSQL, which keeps the events…";
  if (rows.state === "failed") return `The steps are not known: PostgreSQL keeps the events, and could not be asked. ${rows.problem}`;
  const change = changesOf(rows).find((event) => event.version === version);
  if (!change) return "PostgreSQL has no event of such a user, so there are no steps.";
  const acknowledged = acknowledgementOf(rows, version);
  if (acknowledged) return `Version ${version} took ${lagOf(change, acknowledged)} from PostgreSQL to SYNCRONIZED. Nothing was slowed down: here is each step as it was recorded.`;
  if (rows.version > version) return `Version ${version} was overtaken: MongoDB went on with a later one. Here is what was recorded.`;
  return `Version ${version} is on its way right now. What has not happened yet says so.`;
}

/** @param {About} about @returns {Step} */
function command({ id, change, version, sent }) {
  const { method } = KINDS[change.eventType];
  const url = method === "POST" ? `/api/v1/user-command?seed=${encodeURIComponent(change.seed)}` : `/api/v1/user-command/${id}${change.eventType === "ERASED" ? "?erase=true" : ""}`;
  const expected = sent?.expected ? [["If-Match", `"${sent.expected}"`]] : [];
  return {
    title: "The command",
    state: "done",
    when: sent ? `${timeOfDay(new Date(sent.at).toISOString())}, by this browser’s clock; answered ${milliseconds(sent.answeredMs)} later` : "when it was sent is not kept",
    what: `A client sends a ${method}${version > 1 ? ", about the version that it has seen" : ""}. The key is its name for this very command: however often it is sent, and to whichever instance, it takes effect once.`,
    died: "Nothing is lost, since nothing is promised before the answer. The client gets none, and sends the command again with its key; any instance takes it.",
    trace: sent ? [["request", `${sent.method} ${sent.url}`], ["Idempotency-Key", sent.idempotencyKey], .../** @type {[string, string][]} */ (expected)] : [["request", `${method} ${url}`]],
    json: sent ? sent.json : (change.eventData ?? undefined),
    note: sent ? "As this tab sent it." : "This tab did not send it, or was loaded again since, so its key is not shown. What it said is taken from the event.",
  };
}

/** @param {About} about @returns {Step} */
function commit({ change, version }) {
  const { status, rows } = KINDS[change.eventType];
  const again = version === 1 ? "gets this very user" : "gets the answer to this very command";
  return {
    title: "Rows and event",
    state: "done",
    when: `${timeOfDay(change.createdAt)}, by PostgreSQL’s clock, as the transaction began`,
    what: `${change.appId} writes ${rows}, the event ${change.eventType} and a pending row in one transaction: all of them or none. Only when that is safe on disk does the client get its answer, ${status}.`,
    died: `Nothing is lost: it is on disk. A client that got no answer sends the command again with its key and ${again}. The pending row says what is left to do, and another instance does it.`,
    trace: [...eventTrace(change), ["rows in", change.eventData ? listed(tablesOf(change.eventData)) : "prm_user"]],
    json: change.eventData ?? undefined,
    note: change.eventType === "ERASED" ? "The event is kept without what was in it: that was erased." : "The event, as it is stored in prm_user_event.",
  };
}

/** @param {About} about @returns {Step} */
function pending({ id, sides, change, version, acknowledged, later }) {
  const isGone = acknowledged || later;
  const isOvertaken = !acknowledged && sides.rows.version > version;
  const isTaken = acknowledged && acknowledged.appId !== change.appId;
  const shape = "These values follow from the event; which number this life of the instance has is not shown.";
  return {
    title: "The pending row",
    state: isGone || isOvertaken ? "done" : "waiting",
    when: isGone || isOvertaken ? "in the same transaction; gone again by now" : "in the same transaction; still there",
    what: "It is the outbox: what is still to be done is a row on disk, not a thought in some process. It says which version MongoDB does not have yet, and which life of which instance has it in hand.",
    died: `Nothing is lost but time. When the lease of ${change.appId} has ended (${LEASE}), another instance takes the row over and goes on from here. Nobody has to send anything again.${isTaken ? ` Just this has happened here: ${change.appId} could not go on, and ${acknowledged.appId} did.` : ""}`,
    trace: [["table", "prm_user_pending"], ["user_id", id], ["version", String(version)], ["incarnation", `this life of ${change.appId}`], ["created_at", change.createdAt]],
    json: undefined,
    note: isOvertaken && !isGone ? "A user has one pending row: it is about a later version by now." : isGone ? `No trace of it is kept: the last step deletes it. This is what it was like. ${shape}` : `MongoDB has not confirmed this version yet, so the row is waiting, unless MongoDB refused the user: then it is a dead letter. ${shape}`,
  };
}

/** @param {About} about @returns {Step} */
function projection({ sides: { document }, change, version, acknowledged, later }) {
  const isDeletion = change.eventType === "DELETED" || change.eventType === "ERASED";
  const isThere = document.state === "found" && document.version >= version;
  const isDone = Boolean(acknowledged || later || isThere || (isDeletion && document.state === "absent"));
  const isUnknown = !isDone && (document.state === "asking" || document.state === "failed");
  return {
    title: "The document",
    state: isDone ? "done" : isUnknown ? "unknown" : "waiting",
    when: acknowledged ? `within these ${lagOf(change, acknowledged)}; just when is not kept` : isDone ? "just when is not kept" : isUnknown ? "not known" : "not yet",
    what: `${KINDS[change.eventType].brings} It counts only when a majority of MongoDB’s members has it in its journal.`,
    died: "Nothing is lost: the pending row is still there. Another instance writes the same again: same id, same version, so nothing changes. A version never takes the place of a later one.",
    trace: isThere && document.version === version ? [["_id", String(document.found._id)], ["version", String(version)], ["currentStatus", document.found.currentStatus]] : [],
    json: isThere && document.version === version ? document.found : undefined,
    note: noteOn(document, version, isDeletion),
  };
}

/** @param {import("/client/users/side.js").Side} document @param {number} version @param {boolean} isDeletion */
function noteOn({ state, version: has, problem }, version, isDeletion) {
  if (state === "asking") return "MongoDB is being asked.";
  if (state === "failed") return `What MongoDB has is not known. ${problem}`;
  if (state === "absent") return isDeletion ? "Readers are answered that there is nobody." : "MongoDB has no document of this user now.";
  if (has > version) return `MongoDB has version ${has} by now. What version ${version} was like stands under History.`;
  return has < version ? `MongoDB still has version ${has}.` : "The document, as MongoDB has it. Point at its fields below to see which column each came from.";
}

/** @param {About} about @returns {Step} */
function acknowledgement({ sides: { rows }, change, version, acknowledged, later }) {
  const who = acknowledged?.appId ?? "the instance";
  return {
    title: "The acknowledgement",
    state: acknowledged || later ? "done" : "waiting",
    when: acknowledged ? `${timeOfDay(acknowledged.createdAt)}, ${lagOf(change, acknowledged)} after the second step` : later ? "with a later version" : "not yet",
    what: `MongoDB has confirmed, so ${who} deletes the pending row and writes the event SYNCRONIZED, in one transaction again. There the flow ends: both databases have version ${version}${later && !acknowledged ? " or a later one" : ""}.`,
    died: "Before that commit, the pending row is still there: another instance finds that MongoDB has the version, and records it, once. After it, nothing is left to do.",
    trace: acknowledged ? [...eventTrace(acknowledged), ["prm_user_pending", "no row of this user’s version any more"]] : [],
    json: undefined,
    note: acknowledged ? "The event, as it is stored in prm_user_event." : later ? `This version has no event of its own: SYNCRONIZED of version ${later.version} stands for it.` : rows.version > version ? "A later version is on its way in its place." : "PostgreSQL has no such event yet.",
  };
}

/** @param {any} event @returns {[string, string][]} */
function eventTrace({ version, eventType, appId, createdAt }) {
  return [["event", eventType], ["version", String(version)], ["written by", appId], ["at", createdAt]];
}

/** @param {any} change @param {any} acknowledged */
function lagOf(change, acknowledged) {
  return milliseconds(Date.parse(acknowledged.createdAt) - Date.parse(change.createdAt) + (microsOf(acknowledged) - microsOf(change)) / 1000);
}

/** What `Date` drops of a time. @param {any} event */
function microsOf({ createdAt }) {
  return Number(/\.\d{3}(\d{1,3})/.exec(createdAt)?.[1].padEnd(3, "0") ?? 0);
}
