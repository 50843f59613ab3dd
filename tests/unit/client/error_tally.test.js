import assert from "node:assert/strict";
import { test } from "node:test";

import { ErrorTally } from "/client/generate/error_tally.js";

test("attempts and failures of one kind are one group", () => {
  const tally = new ErrorTally();
  tally.countRetry(new Error("503"));
  tally.countRetry(new Error("503"));
  tally.countFailure(new Error("503"));
  assert.deepEqual(tally.groups(), [{ kind: "503", retried: 2, failed: 1 }]);
  assert.equal(tally.failed, 1);
});

test("a server that says something else each time fills no memory, and nothing is left uncounted", () => {
  const tally = new ErrorTally();
  for (let number = 0; number < 1_000; number += 1) tally.countFailure(new Error(`reason ${number}`));
  assert.ok(tally.groups().length <= 13);
  assert.equal(tally.groups().reduce((sum, group) => sum + group.failed, 0), 1_000);
});
