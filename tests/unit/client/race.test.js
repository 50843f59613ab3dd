import assert from "node:assert/strict";
import { test } from "node:test";

import { drawingOf, missingOf, progressOf, titleOf } from "/client/race/words.js";

const side = (more = {}) => ({ name: "Tandem", acknowledged: 0, first: 0, second: 0, perSecond: 0, lost: null, doubled: null, seconds: 0, history: [], ...more });
const race = (more = {}) => /** @type {any} */ ({ users: 2000, rate: null, fault: "kill", faults: [], state: "sending", reason: "", sides: [side(), side({ name: "The plain way" })], ...more });

test("what is on the way is told from what is lost", () => {
  assert.equal(missingOf(side({ acknowledged: 2000, second: 1786 })), "214 on the way");
  assert.equal(missingOf(side({ acknowledged: 2000, second: 1786, lost: 214, doubled: 0 })), "214 lost");
  assert.equal(missingOf(side({ acknowledged: 2000, second: 2000, lost: 0, doubled: 3 })), "None lost, 3 twice");
  assert.equal(missingOf(side()), "");
});

test("a race is named by its users and its rate, and says where it stands", () => {
  assert.equal(titleOf(race()), "The plain way and Tandem: 2,000 users, as fast as each can");
  assert.equal(titleOf(race({ rate: 200 })), "The plain way and Tandem: 2,000 users, 200 a second for each");
  assert.match(progressOf(race()), /killed in the middle/);
  assert.match(progressOf(race({ fault: null })), /^Both get the same users…$/);
  assert.match(progressOf(race({ faults: [{ atSecond: 1, text: "Both were killed" }] })), /^Both were killed\. /);
  assert.match(progressOf(race({ state: "failed", reason: "MongoDB is down." })), /MongoDB is down\. Begin another one\.$/);
});

test("the drawing is told in words, with when both were killed", () => {
  const drawn = side({ acknowledged: 2000, second: 1786, history: [[0, 0, 0], [12, 2000, 1786]] });
  assert.equal(drawingOf(drawn, [{ atSecond: 5.1, text: "" }]), "Over 12 s: 2,000 acknowledged, 1,786 in MongoDB. Killed after 5.1 s.");
  assert.equal(drawingOf(side(), []), "Nothing to draw yet.");
});
