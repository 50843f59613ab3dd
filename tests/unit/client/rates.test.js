import assert from "node:assert/strict";
import { test } from "node:test";

import { ratesOf } from "/client/live/history.js";

test("users that are changed, and so on their way again, make no rate below zero", () => {
  const points = [[0, 100, 100, 100, 100, null, 0], [1, 150, 150, 120, 20, null, 900]];
  assert.deepEqual(ratesOf(points).map(({ accepted, synchronized }) => [accepted, synchronized]), [[50, 0]]);
});
