import assert from "node:assert/strict";
import { test } from "node:test";

import { equalityOf } from "/client/page/equality.js";

const NOTHING = { missing: 0, surplus: 0, lost: 0, stale: 0, differing: 0, setAside: 0 };
const EQUAL = { isEqual: true, isWhole: true, ageSeconds: 40, users: 1_204_332, kinds: [NOTHING] };

test("equal stores are said to be, with the age of the oldest look and the users", () => {
  assert.equal(equalityOf(EQUAL).text, "equal, as of 40 s ago, 1,204,332 users");
});

test("what was not looked at whole, or not at all, is not called equal", () => {
  assert.equal(equalityOf({ ...EQUAL, isWhole: false, users: 1 }).text, "equal so far, as of 40 s ago, 1 user");
  assert.deepEqual(equalityOf({ ...EQUAL, isEqual: false, kinds: [] }).state, "unknown");
});

test("where a cell does not answer, only the others are said to be equal", () => {
  const { state, text } = equalityOf({ ...EQUAL, silentCells: [3] });
  assert.equal(state, "unknown");
  assert.equal(text, "Cell 3 does not answer. Of the others: equal, as of 40 s ago, 1,204,332 users");
});

test("differences are counted over all kinds, each kind of difference by its name", () => {
  const kinds = [{ ...NOTHING, missing: 3, setAside: 1 }, { ...NOTHING, missing: 1_000, differing: 2 }];
  const { state, text } = equalityOf({ ...EQUAL, isEqual: false, kinds });
  assert.equal(state, "differing");
  assert.equal(text, "not equal: 1,003 missing, 2 differing, 1 set aside");
});
