/** One user: what happened to it, its history, and both its forms; and the commands that change it. */

import { Stepper } from "/client/follow/stepper.js";
import { addressOf, here } from "/client/page/address.js";
import { element, make, onClick, setText } from "/client/page/dom.js";
import { unlessSlow } from "/client/page/slow.js";
import { Edit } from "/client/users/edit.js";
import { documentWith, rowsThatKnow } from "/client/users/following.js";
import { showForms } from "/client/users/forms.js";
import { watchPairs } from "/client/users/pairs.js";
import { Removal } from "/client/users/removal.js";
import { ASKING, acknowledgementOf, documentUrl, fetchSide, isBehind, isErased, isUnacknowledged, rowsUrl } from "/client/users/side.js";
import { awaited, stateOf, titleOf } from "/client/users/state.js";
import { storyOf } from "/client/users/story.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */
/** @typedef {import("/client/users/versions.js").Versions} Versions */

export class UserView {
  #id = "";
  /** Whether its steps are shown, one at a time, in place of its story. */
  #isFollowed = false;
  #stepper = new Stepper((version) => this.versions.choose(version));
  /** @type {Sides} */
  #sides = { rows: ASKING, document: ASKING };
  #leave = new AbortController();
  /** The version that MongoDB is being asked for; 0 for none. */
  #awaited = 0;
  #edit = new Edit({ saved: (id, version) => this.#followCommand(id, `Saved as version ${version}`, version), latest: () => this.#latest(), closed: () => this.#showCommands() });
  #removal = new Removal({ done: (id, what, version) => this.#followCommand(id, what, version), reload: () => this.show(here().parameters) });

  /** @param {Versions} versions */
  constructor(versions) {
    this.versions = versions;
    watchPairs();
    onClick("look-again", () => this.show(here().parameters));
    onClick("edit-open", () => {
      this.#edit.open(this.#id, this.#sides.rows.found);
      this.#showCommands();
    });
    onClick("removal-open", () => {
      const { version, state } = this.#sides.rows;
      this.#removal.open({ id: this.#id, name: titleOf(this.#id, this.#sides), version }, state === "gone");
    });
  }

  /** Both sides are shown together, unless one lets us wait. @param {URLSearchParams} parameters */
  async show(parameters) {
    const id = parameters.get("id") ?? "";
    const isFollowed = here().view === "follow";
    if (id !== this.#id || isFollowed !== this.#isFollowed) {
      this.#closeForms();
      this.#isFollowed = isFollowed;
      this.#beginVersions(id, parameters);
      element("user").append(element("history"));
    }
    this.#id = id;
    this.#sides = { rows: ASKING, document: ASKING };
    setText("user-news", "");
    const signal = this.#begin();
    let isSlow = false;
    this.#render();
    const look = async (/** @type {keyof Sides} */ name, /** @type {string} */ url) => {
      const side = await fetchSide(url, signal);
      if (signal.aborted) return;
      this.#sides[name] = side;
      if (isSlow || (this.#sides.rows !== ASKING && this.#sides.document !== ASKING)) this.#render();
    };
    const both = Promise.all([look("rows", rowsUrl(id)), look("document", documentUrl(id))]);
    await unlessSlow(both, () => {
      if (signal.aborted) return;
      isSlow = true;
      this.#render();
      setText("user-state", `${awaited(this.#sides)} Still waiting.`);
    });
    if (!signal.aborted && (isBehind(this.#sides) || isUnacknowledged(this.#sides))) await this.#follow(this.#sides.rows.version, signal);
  }

  /** @param {string} id @param {URLSearchParams} parameters */
  #beginVersions(id, parameters) {
    const address = (/** @type {string} */ version) => addressOf(this.#isFollowed ? "follow" : "users", { id, version });
    const looked = this.#isFollowed ? (/** @type {number} */ version) => this.#stepper.look(version) : undefined;
    this.#stepper.begin(id, parameters.get("step"));
    this.versions.begin({ rowsUrl: rowsUrl(id), address, stateOf: (found) => found, looked }, parameters.get("version"));
    element("user-follow").href = addressOf(this.#isFollowed ? "users" : "follow", { id });
    setText("user-follow", this.#isFollowed ? "Back to all of it" : "Follow it step by step");
    element("send-another").hidden = !this.#isFollowed;
    element("told").hidden = this.#isFollowed;
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
    this.versions.leave();
    this.#closeForms();
    this.#id = "";
  }

  #closeForms() {
    this.#edit.close();
    this.#removal.close();
  }

  /** What is done from here on ends what was being done. */
  #begin() {
    this.#leave.abort();
    this.#leave = new AbortController();
    this.#awaited = 0;
    return this.#leave.signal;
  }

  /** A command was carried out: PostgreSQL has it, and MongoDB is about to. @param {string} id @param {string} what @param {number} version */
  async #followCommand(id, what, version) {
    if (id !== this.#id) return;
    const signal = this.#begin();
    this.#edit.close();
    setText("user-news", `${what} in PostgreSQL; MongoDB is catching up.`);
    element("user-title").focus();
    const rows = await fetchSide(rowsUrl(id), signal);
    if (signal.aborted) return;
    this.#sides.rows = rows;
    await this.#follow(version, signal, (isThere) =>
      setText("user-news", isThere ? `${what} in both databases.` : `${what} in PostgreSQL. MongoDB follows as soon as it can: press Look again to see how far it is.`),
    );
  }

  /**
   * Show how far MongoDB is until it has this version, and then what PostgreSQL knows of that.
   *
   * @param {number} version
   * @param {AbortSignal} signal
   * @param {(isThere: boolean) => void} [say] Called as soon as MongoDB has it, or has let us wait for too long.
   */
  async #follow(version, signal, say) {
    const id = this.#id;
    this.#awaited = version;
    this.#render();
    try {
      const arrived = await documentWith(id, version, signal);
      const document = arrived ?? (await fetchSide(documentUrl(id), signal));
      if (signal.aborted) return;
      this.#sides.document = document;
      this.#awaited = 0;
      this.#render();
      say?.(arrived !== null);
      if (!arrived) return;
      const rows = await rowsThatKnow(id, version, signal);
      if (signal.aborted) return;
      this.#sides.rows = rows;
      this.#render();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The user as PostgreSQL has it now; null where it does not say. */
  async #latest() {
    const signal = this.#begin();
    const [rows, document] = await Promise.all([fetchSide(rowsUrl(this.#id), signal), fetchSide(documentUrl(this.#id), signal)]);
    if (signal.aborted) return null;
    this.#sides = { rows, document };
    this.#render();
    if (isBehind(this.#sides)) this.#follow(rows.version, signal);
    return rows.found;
  }

  #render() {
    const { rows, document } = this.#sides;
    const title = titleOf(this.#id, this.#sides);
    setText("user-title", title);
    window.document.title = `${title} · Tandem`;
    setText("user-state", stateOf(this.#id, this.#sides));
    element("story").replaceChildren(...storyOf(this.#sides).map(({ when, what }) => make("li", {}, make("span", { class: "when" }, when), make("p", {}, what, what.includes("SYNCRONIZED") && whatItMeans()))));
    element("story-unknown").hidden = rows.events.length > 0;
    setText("story-unknown", rows.state === "asking" ? "Asking PostgreSQL…" : rows.state === "failed" ? "PostgreSQL keeps the events, and could not be asked." : "PostgreSQL has no event of it.");
    showForms(this.#id, this.#sides, this.#awaited);
    this.versions.update(rows);
    this.#stepper.update(this.#isFollowed ? this.#sides : null);
    this.#showCommands();
    const isDone = !isBehind(this.#sides) && document.state !== "failed" && acknowledgementOf(rows, rows.version);
    element("look-again").hidden = isDone || rows.state === "asking" || rows.state === "unfit";
  }

  #showCommands() {
    const { rows } = this.#sides;
    element("edit-open").hidden = rows.state !== "found" || this.#edit.isOpen;
    element("removal-open").hidden = rows.state !== "found" && (rows.state !== "gone" || isErased(rows));
    setText("removal-open", rows.state === "gone" ? "Erase…" : "Delete…");
  }
}

/** Opens the sentence on the word that looks like a mistake. */
function whatItMeans() {
  return make("button", { type: "button", class: "why", popovertarget: "spelling", "aria-label": "What SYNCRONIZED means" }, "?");
}
