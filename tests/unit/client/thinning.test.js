import assert from "node:assert/strict";
import { test } from "node:test";

import { thinned } from "/client/live/thinning.js";

const point = (at, accepted) => ({ at, accepted, synchronized: 0, lagMs: null, oldestMs: null });
const hour = Array.from({ length: 3_600 }, (_, at) => point(at, 100 + (at % 7)));

test("a peak and a standstill of one second are still seen in an hour", () => {
  const points = hour.with(1_234, point(1_234, 9_000)).with(2_345, point(2_345, 0));
  const kept = thinned(points, "accepted", 200);
  assert.ok(kept.length <= 2 * 201);
  assert.ok(kept.includes(points[1_234]) && kept.includes(points[2_345]));
  assert.deepEqual(kept.map(({ at }) => at), kept.map(({ at }) => at).sort((one, other) => one - other));
});

test("a second without a value still ends the line", () => {
  const points = hour.with(100, point(100, null));
  assert.ok(thinned(points, "accepted", 200).includes(points[100]));
});

test("what fits is left as it is", () => {
  assert.equal(thinned(hour, "accepted", 1_800), hour);
});
