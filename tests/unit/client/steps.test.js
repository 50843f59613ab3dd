import assert from "node:assert/strict";
import { test } from "node:test";

import { stepsOf, summaryOf } from "/client/follow/steps.js";
import { tablesOf } from "/client/users/columns.js";
import { ASKING, foundSide } from "/client/users/side.js";

const event = (version, eventType, appId = "instance-1", time = `0${version}.000000`, eventData = null) => ({ version, eventType, appId, eventData, seed: "s", createdAt: `2026-01-01T00:00:${time}Z` });
const side = (version, ...events) => foundSide({ _id: 7, version, currentStatus: "SYNCRONIZED", events });
const ABSENT = /** @type {const} */ ({ ...ASKING, state: "absent" });
const FAILED = /** @type {const} */ ({ ...ASKING, state: "failed", problem: "MongoDB does not answer." });
const states = (rows, document, version = 1) => stepsOf("7", { rows, document }, version).map(({ state }) => state);

const CREATED = event(1, "CREATED", "instance-1", "01.000100", { email: "a@b", location: { country: "Spain" } });
const DONE = event(1, "SYNCRONIZED", "instance-1", "01.009500");

test("of a user that has arrived each step is done, and its time is that of the events", () => {
  const sides = { rows: side(1, CREATED, DONE), document: side(1) };
  const steps = stepsOf("7", sides, 1);
  assert.deepEqual(steps.map(({ state }) => state), Array(5).fill("done"));
  assert.match(summaryOf(sides, 1), /took 9\.4 ms/);
  assert.match(steps[4].when, /9\.4 ms after/);
  assert.match(steps[2].note, /No trace of it is kept/);
  assert.equal(steps[3].json, sides.document.found);
});

test("what has not happened yet is not said to have", () => {
  assert.deepEqual(states(side(1, CREATED), ABSENT), ["done", "done", "waiting", "waiting", "waiting"]);
  assert.deepEqual(states(side(1, CREATED), side(1)), ["done", "done", "waiting", "done", "waiting"]);
  assert.match(summaryOf({ rows: side(1, CREATED), document: ABSENT }, 1), /on its way right now/);
});

test("a side that does not answer is not known", () => {
  const [, , , document] = stepsOf("7", { rows: side(1, CREATED), document: FAILED }, 1);
  assert.deepEqual([document.state, document.when], ["unknown", "not known"]);
  assert.match(document.note, /not known\. MongoDB does not answer/);
  assert.deepEqual(stepsOf("7", { rows: FAILED, document: side(1) }, 1), []);
  assert.match(summaryOf({ rows: FAILED, document: side(1) }, 1), /The steps are not known/);
});

test("MongoDB’s word counts where PostgreSQL knows it, although it does not answer now", () => {
  assert.deepEqual(states(side(1, CREATED, DONE), FAILED), Array(5).fill("done"));
});

test("who finished another one’s work is named at the pending row", () => {
  const rows = side(1, CREATED, event(1, "SYNCRONIZED", "instance-2"));
  assert.match(stepsOf("7", { rows, document: side(1) }, 1)[2].died, /instance-1 could not go on, and instance-2 did/);
});

test("a version that was overtaken says so, and has no acknowledgement of its own", () => {
  const rows = side(2, CREATED, event(2, "UPDATED"), event(2, "SYNCRONIZED"));
  const steps = stepsOf("7", { rows, document: side(2) }, 1);
  assert.match(steps[3].note, /version 2 by now/);
  assert.match(steps[4].note, /SYNCRONIZED of version 2 stands for it/);
  assert.equal(steps[3].json, undefined);
  const under = stepsOf("7", { rows: side(2, CREATED, event(2, "UPDATED")), document: ABSENT }, 1);
  assert.match(under[2].note, /about a later version by now/);
  assert.equal(under[4].state, "waiting");
});

test("a deletion is done once readers find nobody", () => {
  const rows = { ...side(2, CREATED, DONE, event(2, "DELETED")), state: /** @type {const} */ ("gone") };
  assert.deepEqual(states(rows, ABSENT, 2), ["done", "done", "waiting", "done", "waiting"]);
  assert.deepEqual(states(rows, side(1), 2), ["done", "done", "waiting", "waiting", "waiting"]);
});

test("the command is shown as this tab sent it, or as the event tells", () => {
  const sides = { rows: side(1, CREATED, DONE), document: side(1) };
  const sent = { method: /** @type {const} */ ("POST"), url: "/there", idempotencyKey: "k", json: { email: "a@b" }, at: 0, answeredMs: 6 };
  const [ours] = stepsOf("7", sides, 1, sent);
  assert.deepEqual(ours.trace, [["request", "POST /there"], ["Idempotency-Key", "k"]]);
  assert.match(ours.when, /answered 6\.0 ms later/);
  const [other] = stepsOf("7", sides, 1);
  assert.equal(other.json, CREATED.eventData);
  assert.deepEqual(other.trace, [["request", "POST /api/v1/user-command?seed=s"]]);
});

test("a change writes rows where its fields come from; countries have theirs already", () => {
  assert.deepEqual(tablesOf({ email: "a@b" }), ["prm_user"]);
  assert.deepEqual(tablesOf({ location: { country: "Spain", timezone: { offset: "+1:00" } } }), ["prm_user", "prm_user_location"]);
  assert.deepEqual(tablesOf({ picture: null }), ["prm_user", "prm_user_picture"]);
});
