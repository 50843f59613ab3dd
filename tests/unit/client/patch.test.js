import assert from "node:assert/strict";
import { test } from "node:test";

import { FIELDS, changedFields, fieldAt, patchOf, rebased, textsOf } from "/client/users/patch.js";

const ADA = {
  email: "ada@example.com",
  title: null,
  firstName: "Ada",
  lastName: "Lovelace",
  phone: "1\n2",
  location: { streetNumber: 12, streetName: "Square", city: "London", postcode: "01234", country: { id: 1, name: "England" } },
};

test("what a form shows is the text of the rows; what is not there is empty", () => {
  const texts = textsOf(ADA);
  assert.equal(texts["location/street/number"], "12");
  assert.equal(texts["location/country"], "England");
  assert.equal(texts["name/title"], "");
  assert.equal(textsOf({ email: "a@b" })["location/city"], "");
});

test("what an input cannot show is no change", () => {
  assert.equal(textsOf(ADA).phone, "12");
  assert.deepEqual(patchOf(textsOf(ADA), textsOf(ADA)), {});
});

test("a patch has what was changed and nothing else, to the character", () => {
  const before = textsOf(ADA);
  const typed = { ...before, "location/city": " Köln\u200f ", "name/last": "King", "location/postcode": "00 1" };
  assert.deepEqual(patchOf(before, typed), { name: { last: "King" }, location: { city: " Köln\u200f ", postcode: "00 1" } });
  assert.deepEqual(changedFields(before, typed).map(({ label }) => label), ["Last name", "Postcode", "City"]);
});

test("what was emptied is removed", () => {
  const before = textsOf(ADA);
  assert.deepEqual(patchOf(before, { ...before, phone: "", "location/street/name": "" }), { phone: null, location: { street: { name: null } } });
});

test("a house number is sent as a number, and what is none as it was typed", () => {
  const before = textsOf(ADA);
  for (const [typed, sent] of [["7", 7], ["-7", -7], ["7a", "7a"], [" 7", " 7"], ["", null]]) {
    assert.deepEqual(patchOf(before, { ...before, "location/street/number": typed }), { location: { street: { number: sent } } });
  }
});

test("who goes on from a later version keeps what was typed, and gets the rest", () => {
  const before = textsOf(ADA);
  const typed = { ...before, phone: "mine", "name/last": "King", email: "both@example.com" };
  const theirs = { ...before, phone: "theirs", "location/city": "Ockham", email: "both@example.com" };
  const { texts, clashes } = rebased(before, typed, theirs);
  assert.deepEqual(texts, { ...before, phone: "mine", "name/last": "King", "location/city": "Ockham", email: "both@example.com" });
  assert.deepEqual(clashes.map(({ name }) => name), ["phone"]);
  assert.deepEqual(patchOf(theirs, texts), { phone: "mine", name: { last: "King" } });
});

test("a pointer leads to the field that it names, or to the first inside of it", () => {
  for (const { name } of FIELDS) assert.equal(fieldAt(`#/${name}`)?.name, name);
  assert.equal(fieldAt("#/location/street")?.name, "location/street/name");
  for (const elsewhere of ["#", "", undefined, "#/dob/date", "#/nam", "#/email/x"]) assert.equal(fieldAt(elsewhere), undefined);
});
