/** A searchable table of the read side's users, page by page. The address carries the search. */

import { addressOf, go } from "/client/page/address.js";
import { silenceOf } from "/client/page/cells.js";
import { element, make, setText } from "/client/page/dom.js";
import { count, plural } from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";
import { unlessSlow } from "/client/page/slow.js";
import { nameOf } from "/client/users/person.js";

const FIELDS = ["email", "name", "country", "seed", "appId", "status"];
const PAGE = 25;
/** One request examines so many users and no more. After this many without a find, somebody decides whether to go on. */
const MAX_REQUESTS = 20;

/** @typedef {{ users: number, isExact: boolean }} Total */
/** @typedef {{ users: any[], next: number | null, examined: number, total: Total, silentCells: number[] }} Page */

export class SearchView {
  #leave = new AbortController();
  #form = element("search");

  constructor() {
    this.#form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      go(addressOf("users", /** @type {any} */ (Object.fromEntries(new FormData(this.#form)))));
    });
  }

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    const search = Object.fromEntries(FIELDS.map((name) => [name, parameters.get(name) ?? ""]));
    for (const name of FIELDS) this.#form.elements[name].value = search[name];
    try {
      showPage(await find(search, parameters.get("after") ?? "", signal), search, parameters.has("after"));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      showFailure(error);
    }
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }
}

/**
 * The next users that match. A request examines a bounded number of users, so it may take several.
 *
 * @param {Record<string, string>} search
 * @param {string} after
 * @param {AbortSignal} signal
 * @returns {Promise<Page>}
 */
async function find(search, after, signal) {
  let examined = 0;
  /** @type {any} */
  let total;
  const silent = /** @type {Set<number>} */ (new Set());
  setText("search-state", "Searching…");
  for (let request = 1; ; request += 1) {
    const query = new URLSearchParams({ limit: String(PAGE), order: "newest", ...(!total && { count: "true" }), ...(after && { after }), ...filled(search) });
    const answer = getJson(`/api/v1/user-query/search?${query}`, signal);
    const { users, next, examined: more, silentCells, total: counted } = await unlessSlow(answer, () => !signal.aborted && saySlow());
    examined += more;
    total ??= counted;
    for (const cell of silentCells ?? []) silent.add(cell);
    if (users.length > 0 || next === null || request === MAX_REQUESTS) return { users, next, examined, total, silentCells: [...silent] };
    setText("search-state", `Searching… looked at ${plural(examined, "user", "users")} so far.`);
    after = String(next);
  }
}

function saySlow() {
  setText("search-state", "Searching… MongoDB’s side has not answered yet.");
}

/** @param {Page} page @param {Record<string, string>} search @param {boolean} isLater */
function showPage({ users, next, examined, total, silentCells }, search, isLater) {
  const silence = silenceOf(silentCells);
  if (users.length === 0 && next === null && !isLater && !silence && Object.keys(filled(search)).length === 0) sayEmpty();
  else setText("search-state", [stateOf(users, next, examined, total, isLater), silence].join(" ").trim());
  element("found-rows").replaceChildren(...users.map(rowOf));
  element("found").hidden = users.length === 0;
  showLink("first-page", isLater, addressOf("users", search));
  showLink("next-page", next !== null, addressOf("users", { ...search, after: String(next) }));
}

/** @param {any[]} users @param {number | null} next @param {number} examined @param {Total} total @param {boolean} isLater */
function stateOf(users, next, examined, total, isLater) {
  if (users.length > 0) return `${count(users.length)} of ${totalOf(total, users.length)}, newest first.`;
  if (next !== null) return `None among the ${plural(examined, "user", "users")} looked at. Press Next to look further.`;
  return isLater ? "No more users." : "No user matches. Try fewer words: e-mail, name and country may be given in part, without accents.";
}

/** @param {Total} total @param {number} shown Some may have been found further than was counted. */
function totalOf(total, shown) {
  return (total.isExact ? "" : "at least ") + plural(Math.max(total.users, shown), "user", "users");
}

/** Nothing was searched for, and there is nothing. */
function sayEmpty() {
  const link = make("a", { href: addressOf("live") }, "Generate some in the live view");
  element("search-state").replaceChildren("There are no users yet. ", link, ".");
}

/** @param {RequestError} error */
function showFailure(error) {
  setText("search-state", `The search failed. ${error.sentence} Press Search to try again.`);
  element("found").hidden = true;
  showLink("first-page", false, "/");
  showLink("next-page", false, "/");
}

/** @param {any} user */
function rowOf(user) {
  const link = make("a", { href: addressOf("users", { id: String(user._id) }) }, user.email);
  const cells = { Name: nameOf(user), Country: user.location?.country, Seed: user.seed, Instance: user.appId, Stage: user.currentStatus };
  return make("tr", {}, make("th", { scope: "row" }, link), ...Object.entries(cells).map(([name, text]) => make("td", { "data-name": name }, text ?? "")));
}

/** @param {string} id @param {boolean} isShown @param {string} address */
function showLink(id, isShown, address) {
  element(id).hidden = !isShown;
  element(id).href = address;
}

/** @param {Record<string, string>} search */
function filled(search) {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== ""));
}
