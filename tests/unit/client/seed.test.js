import assert from "node:assert/strict";
import { test } from "node:test";

import { freshSeed, MAX_SEED_LENGTH } from "/client/generate/seed.js";

test("a fresh seed can be read, said and sent", () => {
  for (let number = 0; number < 100; number += 1) {
    const seed = freshSeed();
    assert.match(seed, /^[a-z]+-[a-z]+-[1-9]\d\d$/);
    assert.ok(seed.length <= MAX_SEED_LENGTH);
  }
});
