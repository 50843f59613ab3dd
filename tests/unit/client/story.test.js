import assert from "node:assert/strict";
import { test } from "node:test";

import { ASKING, foundSide } from "/client/users/side.js";
import { storyOf } from "/client/users/story.js";

const event = (version, eventType, appId = "instance-1") => ({ version, eventType, appId, createdAt: `2026-01-01T00:00:0${version}.000Z` });
const found = (version, ...events) => foundSide({ version, events });
const ABSENT = /** @type {const} */ ({ ...ASKING, state: "absent" });
const told = (rows, document) => storyOf({ rows, document }).map(({ when, what }) => `${when}: ${what}`).join("\n");

test("the last change is told, and the acknowledgement of just this version", () => {
  const rows = found(2, event(1, "CREATED"), event(1, "SYNCRONIZED"), event(2, "UPDATED"));
  assert.match(told(rows, found(1)), /PATCH reached instance-1[^]*not yet: MongoDB still has the version before/);
  assert.doesNotMatch(told(rows, found(1)), /SYNCRONIZED/);
});

test("who finished another one’s work is named", () => {
  const rows = found(1, event(1, "CREATED"), event(1, "SYNCRONIZED", "instance-2"));
  assert.match(told(rows, found(1)), /made instance-2 write[^]*instance-1 could not go on[^]*Both databases agree\./);
});

test("a deleted user that MongoDB does not have is as it should be", () => {
  const rows = { ...found(2, event(1, "CREATED"), event(2, "DELETED"), event(2, "SYNCRONIZED")), state: /** @type {const} */ ("gone") };
  assert.match(told(rows, ABSENT), /A DELETE reached[^]*Readers do not find the user any more[^]*Both databases agree\./);
  assert.match(told(rows, found(1)), /MongoDB still has the version before/);
});

test("without a word from PostgreSQL nothing is told", () => {
  assert.deepEqual(storyOf({ rows: ASKING, document: found(1) }), []);
});
