/** What the page is about: users, or an aggregate that is installed beside them. The address names it. */

import { element, make, setText } from "/client/page/dom.js";
import { plural } from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";

/** @typedef {{ name: string, plural: string }} Kind What one is called, and what many are. */

/** @type {Kind} */
const USERS = { name: "user", plural: "users" };

let known = [USERS];
let shown = USERS;

/** What is shown. @returns {Kind} */
export const kind = () => shown;

export const isOfUsers = () => shown.name === USERS.name;

/** For addresses, which need not name users. */
export const aggregate = () => (isOfUsers() ? "" : shown.name);

/** @param {string} text */
export const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** So many of what is shown, with what follows. @param {number} count @param {string} [one] @param {string} [many] */
export const counted = (count, one = "", many = one) => plural(count, shown.name + one, shown.plural + many);

/** Show this kind. @param {string | null} name Null: users. */
export function showKind(name) {
  const wanted = name ?? USERS.name;
  shown = known.find((each) => each.name === wanted) ?? { name: wanted, plural: `${wanted}s` };
  if (isOfUsers()) delete document.body.dataset.kind;
  else document.body.dataset.kind = shown.name;
  for (const noun of document.querySelectorAll("[data-noun]")) {
    const { noun: of } = /** @type {HTMLElement} */ (noun).dataset;
    setText(noun, { one: shown.name, many: shown.plural, Many: capital(shown.plural) }[of ?? ""] ?? "");
  }
  element("kind").value = shown.name;
}

/** Learn which kinds there are, and let people choose where there are several. @param {(name: string) => void} onChoice */
export async function offerKinds(onChoice) {
  try {
    known = await getJson("/api/v1/aggregates", new AbortController().signal);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return; // what the address names is shown all the same
  }
  const select = element("kind");
  select.replaceChildren(...known.map(({ name, plural: many }) => make("option", { value: name }, many)));
  select.onchange = () => onChoice(select.value === USERS.name ? "" : select.value);
  select.hidden = known.length < 2;
}
