import assert from "node:assert/strict";
import { test } from "node:test";

import { silenceOf } from "/client/page/cells.js";

test("silent cells are named in a sentence, and nothing is said where all answer", () => {
  assert.match(silenceOf([3]), /^Cell 3 does not answer: /);
  assert.match(silenceOf([3, 5]), /^Cells 3, 5 do not answer: /);
  assert.equal(silenceOf(undefined), "");
});
