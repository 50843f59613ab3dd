import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "/client/page/format.js";

test("what is not known is a dash", () => {
  for (const show of [format.count, format.milliseconds, format.rate, format.duration]) {
    assert.deepEqual([undefined, null, NaN, Infinity].map((value) => show(value)), Array(4).fill(format.DASH));
  }
});

test("small numbers have tenths, large ones have none", () => {
  assert.equal(format.milliseconds(9.96), "10.0 ms");
  assert.equal(format.milliseconds(10.4), "10 ms");
  assert.equal(format.rate(2.25), "2.3/s");
  assert.equal(format.rate(12_345.6), "12,346/s");
});

test("a time has the unit that people say", () => {
  assert.deepEqual([0.04, 8.64, 42, 185, 7_800].map(format.duration), ["0.0 s", "8.6 s", "42 s", "3:05 min", "2:10 h"]);
  assert.equal(format.milliseconds(1_500), "1.5 s");
});

test("one is not many", () => {
  assert.equal(format.plural(1, "user", "users"), "1 user");
  assert.equal(format.plural(2_000, "user", "users"), "2,000 users");
});
