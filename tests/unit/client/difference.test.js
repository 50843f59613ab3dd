import assert from "node:assert/strict";
import { test } from "node:test";

import { differencesOf } from "/client/users/difference.js";

/** Who the user is, and its version: no part of the person. */
const around = (version, person) => ({ _id: 7, seed: "s", appId: "a", version, createdAt: "then", updatedAt: `at ${version}`, ...person });
const short = (differences) => differences.map(({ name, kind, before, after }) => [name, kind, before, after]);

test("each field is the same, changed, added or removed", () => {
  const before = around(1, { email: "a@b", phone: "1", location: { city: "Bonn", postcode: "5" } });
  const after = around(2, { email: "a@b", phone: "2", cell: "3", location: { city: "Bonn", country: "Germany" } });
  assert.deepEqual(short(differencesOf(before, after)), [
    ["email", "same", "a@b", "a@b"],
    ["phone", "changed", "1", "2"],
    ["cell", "added", "", "3"],
    ["location.city", "same", "Bonn", "Bonn"],
    ["location.country", "added", "", "Germany"],
    ["location.postcode", "removed", "5", ""],
  ]);
});

test("null is as good as nothing, and an empty text is something", () => {
  const differences = differencesOf({ street: { number: null, name: "A" }, phone: "" }, { street: { number: 0, name: null } });
  assert.deepEqual(short(differences), [
    ["street.number", "added", "", "0"],
    ["street.name", "removed", "A", ""],
    ["phone", "removed", "", ""],
  ]);
});

test("where there was nobody before, all is added; where there is nobody after, all is removed", () => {
  assert.deepEqual(differencesOf(null, { email: "a" }).map(({ kind }) => kind), ["added"]);
  assert.deepEqual(differencesOf({ email: "a" }, null).map(({ kind }) => kind), ["removed"]);
  assert.deepEqual(differencesOf(null, null), []);
});
