import assert from "node:assert/strict";
import { test } from "node:test";

import { happenings } from "/client/live/happenings.js";
import { silenceOf } from "/client/page/cells.js";

const DATABASES = /** @type {const} */ ({ postgresql: "up", mongodb: "up" });
const instance = (cell, appId = "instance-1") => ({ cell, appId, incarnation: 1, state: "ready", queue: 0, total: 0, synchronized: 0, takenOver: 0, pending: 0 });
const sample = (instances, silentCells) => /** @type {any} */ ({ instances, silentCells, databases: DATABASES, deadLetters: 0 });

test("silent cells are named in a sentence, and nothing is said where all answer", () => {
  assert.match(silenceOf([3]), /^Cell 3 does not answer: /);
  assert.match(silenceOf([3, 5]), /^Cells 3, 5 do not answer: /);
  assert.equal(silenceOf(undefined), "");
});

test("a cell that falls silent and is back is told, and its instances are neither gone nor new", () => {
  const all = sample([instance(0), instance(3)], undefined);
  const silent = sample([instance(0)], [3]);
  assert.deepEqual(happenings(all, silent), ["Cell 3 does not answer."]);
  assert.deepEqual(happenings(silent, all), ["Cell 3 answers again."]);
});

test("of two cells' instances of one name each has its own life", () => {
  assert.deepEqual(happenings(sample([instance(0), instance(3)], undefined), sample([instance(0)], undefined)), ["instance-1 is gone."]);
});
