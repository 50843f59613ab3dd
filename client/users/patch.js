/** From what somebody typed to a JSON Merge Patch (RFC 7396) of a user, and back from an error to the field. */

/** @typedef {{ name: string, label: string, column: string[] }} Field `name` says where it is in a patch, `column` where in the rows. */
/** @typedef {Record<string, string>} Texts The text of each field, by its name; empty where there is nothing. */

/** @type {[group: string, fields: Field[]][]} What people have changed. The rest follows from who they are, or is not theirs. */
export const GROUPS = [
  ["Person", fields("name/title Title title", "name/first First_name firstName", "name/last Last_name lastName", "gender Gender gender", "nat Nationality nationality")],
  ["Contact", fields("email E-mail email", "phone Phone phone", "cell Cell_phone cell")],
  ["Address", fields(
    "location/street/name Street location.streetName",
    "location/street/number House_number location.streetNumber",
    "location/postcode Postcode location.postcode",
    "location/city City location.city",
    "location/state State location.state",
    "location/country Country location.country.name",
  )],
];

export const FIELDS = GROUPS.flatMap(([, group]) => group);

/** All else is text. What is no integer is sent as it is: the server says what is wrong with it. */
const INTEGER = "location/street/number";

/** @param {any} user In normal form. @returns {Texts} As an input shows them: it has no line breaks. */
export function textsOf(user) {
  const textOf = (/** @type {Field} */ { column }) => String(column.reduce((node, step) => node?.[step], user) ?? "").replace(/[\r\n]/g, "");
  return Object.fromEntries(FIELDS.map((field) => [field.name, textOf(field)]));
}

/** @param {Texts} before @param {Texts} typed @returns {Field[]} */
export function changedFields(before, typed) {
  return FIELDS.filter(({ name }) => typed[name] !== before[name]);
}

/** Only what was changed, to the character; what was emptied is removed. @param {Texts} before @param {Texts} typed @returns {any} */
export function patchOf(before, typed) {
  /** @type {any} */
  const patch = {};
  for (const { name } of changedFields(before, typed)) {
    const path = name.split("/");
    const last = /** @type {string} */ (path.pop());
    path.reduce((node, step) => (node[step] ??= {}), patch)[last] = valueOf(name, typed[name]);
  }
  return patch;
}

/**
 * Go on from a later version without losing what was typed.
 *
 * @param {Texts} before What the form began with.
 * @param {Texts} typed
 * @param {Texts} theirs The later version.
 * @returns {{ texts: Texts, clashes: Field[] }} `clashes`: what both have changed, and not to the same.
 */
export function rebased(before, typed, theirs) {
  const mine = changedFields(before, typed);
  const texts = { ...theirs, ...Object.fromEntries(mine.map(({ name }) => [name, typed[name]])) };
  return { texts, clashes: mine.filter(({ name }) => theirs[name] !== before[name] && theirs[name] !== typed[name]) };
}

/** @param {string} [pointer] Such as `#/location/postcode`. @returns {Field | undefined} The field that it names, or the first inside of it. */
export function fieldAt(pointer = "") {
  const path = pointer.replace(/^#\/?/, "");
  return FIELDS.find(({ name }) => path && `${name}/`.startsWith(`${path}/`));
}

/** @param {string} name @param {string} text */
function valueOf(name, text) {
  if (text === "") return null;
  return name === INTEGER && /^-?\d+$/.test(text) ? Number(text) : text;
}

/** @param {...string} lines Name, label and column of each. @returns {Field[]} */
function fields(...lines) {
  return lines.map((line) => {
    const [name, label, column] = line.split(" ");
    return { name, label: label.replace("_", " "), column: column.split(".") };
  });
}
