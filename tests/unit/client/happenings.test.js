import assert from "node:assert/strict";
import { test } from "node:test";

import { merged } from "/client/live/happenings.js";

const happening = (second, text, kind = "observed") => ({ at: `2026-01-01T00:00:${second}Z`, kind, text, users: null });

test("what comes several times is there once, in the order of time", () => {
  const gone = happening("05", "instance-1 is gone.");
  const fault = happening("04", "instance-1 was killed", "fault");
  assert.deepEqual(merged(merged([], [gone]), [fault, gone]), [fault, gone]);
  assert.deepEqual(merged([fault, gone], [{ ...gone, at: "2026-01-01T00:00:06Z" }]).map(({ at }) => at), [fault.at, "2026-01-01T00:00:06Z"]);
});

test("what happens again later, and a fault that is made twice, is there twice", () => {
  const [one, other] = [happening("05", "MongoDB does not answer."), happening("15", "MongoDB does not answer.")];
  assert.deepEqual(merged([one], [other]), [one, other]);
  const [first, second] = [happening("05", "killed", "fault"), happening("06", "killed", "fault")];
  assert.deepEqual(merged([first], [second]), [first, second]);
});
