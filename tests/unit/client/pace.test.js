import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "/client/generate/pace.js";

test("a paused run lets nobody go until it is resumed", async () => {
  const pace = new Pace(0);
  const { signal } = new AbortController();
  pace.pause();
  let went = false;
  const turn = pace.turn(signal).then(() => (went = true));
  await new Promise(setImmediate);
  assert.equal(went, false);
  pace.resume();
  await turn;
  assert.equal(went, true);
});

test("whoever waits for a turn leaves when the run is cancelled", async () => {
  const pace = new Pace(0);
  const cancelled = new AbortController();
  pace.pause();
  const turn = pace.turn(cancelled.signal);
  cancelled.abort();
  await assert.rejects(turn, { name: "AbortError" });
});
