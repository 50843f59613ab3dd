/** What is different between two states of a user, field by field. */

/** @typedef {"same" | "added" | "changed" | "removed"} Kind */
/** @typedef {{ name: string, kind: Kind, before: string, after: string }} Difference `before` and `after` are empty where there is nothing. */

/** Who the user is and when: no part of the person. */
const AROUND = new Set(["_id", "seed", "appId", "version", "createdAt", "updatedAt"]);

/**
 * @param {any} before Null: there was none.
 * @param {any} after Null: there is none any more.
 * @returns {Difference[]} All fields, in the order of the states; each that was removed stands where it stood.
 */
export function differencesOf(before, after) {
  const [old, now] = [valuesOf(before), valuesOf(after)];
  return inOrder([...old.keys()], [...now.keys()]).map((name) => {
    const [was, is] = [old.get(name), now.get(name)];
    return { name, kind: kindOf(was, is), before: was ?? "", after: is ?? "" };
  });
}

/** @param {any} state @returns {Map<string, string>} Each value by where it stands, such as `location.city`. */
export function valuesOf(state) {
  /** @type {Map<string, string>} */
  const values = new Map();
  const collect = (/** @type {any} */ node, /** @type {string[]} */ path) => {
    if (node === null || node === undefined) return;
    if (typeof node !== "object") values.set(path.join("."), String(node));
    else for (const [name, value] of Object.entries(node)) if (path.length > 0 || !AROUND.has(name)) collect(value, [...path, name]);
  };
  collect(state, []);
  return values;
}

/** @param {string | undefined} was @param {string | undefined} is @returns {Kind} */
function kindOf(was, is) {
  if (was === undefined) return "added";
  if (is === undefined) return "removed";
  return was === is ? "same" : "changed";
}

/** All names of both lists: what only the second has follows what it follows there. @param {string[]} first @param {string[]} second */
function inOrder(first, second) {
  const names = [...first];
  second.forEach((name, at) => {
    if (!names.includes(name)) names.splice(at === 0 ? 0 : names.indexOf(second[at - 1]) + 1, 0, name);
  });
  return names;
}
