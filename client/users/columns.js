/** Which field of the document each column of the rows became. The one place that says so; a test compares it with both sides. */

/** Where a column has no field, the reason. */
const WHEN = "when a row was written is kept for writing";
const REFERENCE = "the document holds the name itself, not a reference to its row";
const EVENT = "the document says how the user is, the events say how that came about";

/** @type {Record<string, Record<string, string>>} By table and column: the path of the field. A reason stands for none: it has spaces. */
export const COLUMNS = {
  prm_user: {
    id: "_id", email: "email", seed: "seed", appId: "appId", status: "currentStatus", version: "version", createdAt: WHEN, updatedAt: WHEN,
    gender: "gender", title: "name.title", firstName: "name.first", lastName: "name.last", birthAt: "dob.date", birthAge: "dob.age",
    registeredAt: "registered.date", registeredAge: "registered.age", phone: "phone", cell: "cell",
    identityName: "id.name", identityValue: "id.value", nationality: "nat",
  },
  prm_user_location: {
    streetNumber: "location.street.number", streetName: "location.street.name", city: "location.city", state: "location.state",
    postcode: "location.postcode", latitude: "location.coordinates.latitude", longitude: "location.coordinates.longitude",
  },
  prm_country: { id: REFERENCE, name: "location.country" },
  prm_timezone: { id: REFERENCE, utcOffset: "location.timezone.offset", description: "location.timezone.description" },
  prm_user_login: { uuid: "login.uuid", username: "login.username" },
  prm_user_picture: { large: "picture.large", medium: "picture.medium", thumbnail: "picture.thumbnail" },
  prm_user_event: { id: EVENT, version: EVENT, eventType: EVENT, eventData: EVENT, format: EVENT, seed: EVENT, appId: EVENT, createdAt: EVENT },
};

/** @param {string} place */
const isField = (place) => !place.includes(" ");

/** @param {string} table @param {string} column @returns {string} The path of its field; empty where it has none. */
export function fieldOf(table, column) {
  const place = COLUMNS[table]?.[column] ?? "";
  return isField(place) ? place : "";
}

/** What became of a column, for whoever points at it. @param {string} table @param {string} column */
export function fateOf(table, column) {
  const place = COLUMNS[table]?.[column];
  if (!place) return `${table}.${column} is not described here.`;
  return isField(place) ? `${table}.${column} became ${place} in the document.` : `${table}.${column} has no field in the document: ${place}.`;
}

/** Where a field came from. @param {string} path */
export function originOf(path) {
  const columns = Object.entries(COLUMNS).flatMap(([table, of]) => Object.keys(of).filter((column) => of[column] === path).map((column) => `${table}.${column}`));
  return columns.length > 0 ? `${path} came from ${columns.join(" and ")}.` : `${path} has no column.`;
}

/**
 * The tables in which a change of these fields writes rows. Countries and time zones have theirs before; a location points to them.
 *
 * @param {any} data A state, or a patch of one, in the shape of the document.
 * @returns {string[]}
 */
export function tablesOf(data) {
  const paths = leavesOf(data);
  const touches = (/** @type {string} */ path) => paths.some((each) => each === path || path.startsWith(`${each}.`));
  const touched = Object.keys(COLUMNS).filter((table) => table === "prm_user" || Object.values(COLUMNS[table]).some(touches));
  return [...new Set(touched.map((table) => (table === "prm_country" || table === "prm_timezone" ? "prm_user_location" : table)))];
}

/** @param {any} node @param {string} [path] @returns {string[]} */
function leavesOf(node, path = "") {
  if (node === null || typeof node !== "object") return [path];
  return Object.entries(node).flatMap(([name, value]) => leavesOf(value, path ? `${path}.${name}` : name));
}
