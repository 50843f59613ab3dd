/** The fields of the form that changes a user: what is typed, and what is said beside each. */

import { element, make, setText } from "/client/page/dom.js";
import { FIELDS, GROUPS } from "/client/users/patch.js";

/** @typedef {import("/client/users/patch.js").Field} Field */
/** @typedef {import("/client/users/patch.js").Texts} Texts */

/** @type {Record<string, string>} Which keys a phone shows. */
const KEYS = { email: "email", phone: "tel", cell: "tel", "location/street/number": "numeric" };

/** Lengths and forms are the server's to judge: an input with a limit would cut off what is pasted, and say nothing. */
export function makeFields() {
  const groups = GROUPS.map(([group, fields]) => make("fieldset", {}, make("legend", {}, group), make("div", { class: "fields" }, ...fields.map(makeField))));
  element("edit-fields").replaceChildren(...groups);
}

/** @param {Field} field */
function makeField({ name, label }) {
  const [id, hint] = [`field-${name}`, `hint-${name}`];
  const input = make("input", { id, type: "text", autocomplete: "off", spellcheck: "false", inputmode: KEYS[name] ?? null, "aria-describedby": hint });
  return make("div", { class: "field" }, make("label", { for: id }, label), input, make("p", { id: hint, class: "hint" }));
}

/** @param {Field} field @returns {HTMLInputElement} */
export function inputOf({ name }) {
  return element(`field-${name}`);
}

/** @returns {Texts} */
export function typedTexts() {
  return Object.fromEntries(FIELDS.map((field) => [field.name, inputOf(field).value]));
}

/** @param {Texts} texts */
export function fillIn(texts) {
  for (const field of FIELDS) {
    inputOf(field).value = texts[field.name];
    sayBeside(field, "");
  }
}

/** @param {boolean} isLocked While it is sent, nobody types what would be lost. */
export function lock(isLocked) {
  for (const field of FIELDS) inputOf(field).readOnly = isLocked;
}

/** @param {Field} field @param {string} words @param {boolean} [isWrong] */
export function sayBeside(field, words, isWrong = false) {
  inputOf(field).ariaInvalid = isWrong ? "true" : null;
  const hint = element(`hint-${field.name}`);
  hint.classList.toggle("wrong", isWrong);
  setText(hint, words);
}
