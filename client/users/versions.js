/** A user's history, or an aggregate's: a slider over its versions, with what each looked like and what had changed in it. */

import { isPlainClick, replaceAddress } from "/client/page/address.js";
import { element, onClick, setText } from "/client/page/dom.js";
import { count } from "/client/page/format.js";
import { RequestError } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { originOf, showDifferences, showEvents, summaryOf } from "/client/users/changes.js";
import { differencesOf } from "/client/users/difference.js";
import { ASKING, changesOf, isErased } from "/client/users/side.js";
import { States } from "/client/users/states.js";

/** @typedef {import("/client/users/side.js").Side} Side */
/**
 * @typedef {object} Subject A user, or an aggregate.
 * @property {string} rowsUrl Where PostgreSQL's side tells of it; with `?version=` how it was.
 * @property {(version: string) => string} address Of the page that shows this version.
 * @property {(found: any) => any} stateOf What it was like, of what the server answers.
 * @property {(version: number) => void} [looked] Told which version is looked at. Then the address is not written here, and nothing scrolls.
 */

/** @type {Subject} */
const NOTHING = { rowsUrl: "", address: () => "/", stateOf: (found) => found };

/** Whoever drags the slider passes many versions, and looks at few. */
const SETTLE_MS = 60;

const DELETED = "From here on nobody reads it. The versions before are still there to be looked at.";
const ERASED = "All that was known of the person was forgotten, in every version: there is no state to show, only what happened when.";

export class Versions {
  #of = NOTHING;
  /** @type {Side} */
  #rows = ASKING;
  #states = new States(NOTHING);
  /** The version that is looked at, or to begin with; 0: the last one. */
  #version = 0;
  /** Whether somebody chose it: then it is in the address. */
  #isChosen = false;
  #isFirst = true;
  #leave = new AbortController();
  #slider = element("version");

  constructor() {
    this.#slider.addEventListener("input", () => this.choose(Number(this.#slider.value)));
    onClick("earlier", () => this.choose(this.#version - 1));
    onClick("later", () => this.choose(this.#version + 1));
    onClick("history-open", () => this.#reveal());
    onClick("events", (event) => {
      const version = /** @type {HTMLElement} */ (event.target).dataset.version;
      if (!version || !isPlainClick(event)) return;
      event.preventDefault(); // the page would begin at its top again
      this.choose(Number(version));
    });
  }

  /** Another one. @param {Subject} of @param {string | null} wanted The version that the address names. */
  begin(of, wanted) {
    this.leave();
    this.#of = of;
    this.#rows = ASKING;
    this.#states = new States(of);
    this.#version = Math.trunc(Number(wanted)) || 0;
    this.#isChosen = wanted !== null;
    this.#isFirst = true;
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }

  /** Show what PostgreSQL knows by now. Who looks at the last version goes on to a new last one. @param {Side} rows */
  update(rows) {
    if (rows === ASKING && !this.#isFirst) return; // what was known is still shown
    const isAtEnd = !this.#isFirst && this.#version === this.#last;
    this.#rows = rows;
    const isThere = this.#last > 0;
    element("history").hidden = element("history-open").hidden = !isThere;
    if (!isThere) return;
    element("slide").hidden = this.#last === 1 || isErased(rows);
    this.#slider.max = String(this.#last);
    this.#show((!isAtEnd && this.#version) || this.#last);
    if (this.#isFirst && this.#isNamed && !isBusyElsewhere()) this.#reveal();
    this.#isFirst = false;
  }

  get #last() {
    return changesOf(this.#rows).at(-1)?.version ?? 0;
  }

  /** Whether the address is to name the version. */
  get #isNamed() {
    return this.#isChosen && !this.#of.looked;
  }

  /** @param {number} version */
  choose(version) {
    this.#isChosen = true;
    this.#show(version);
  }

  /** @param {number} wanted Brought to the nearest version that there is. */
  async #show(wanted) {
    this.#leave.abort();
    const { signal } = (this.#leave = new AbortController());
    const version = (this.#version = Math.min(Math.max(wanted, 1), this.#last));
    const change = changesOf(this.#rows).find((event) => event.version === version);
    this.#showWhere(change);
    this.#of.looked?.(version);
    if (isErased(this.#rows)) return showState(ERASED, []);
    try {
      await sleep(SETTLE_MS, signal);
      if (this.#isNamed) replaceAddress(this.#of.address(String(version)));
      const [before, after] = await Promise.all([version - 1, version].map((each) => this.#states.at(each, signal)));
      if (signal.aborted) return;
      if (after) showState(version === 1 ? "The first version: all of it is new." : "", differencesOf(version === 1 ? after : before, after));
      else showState(change.eventType === "DELETED" ? DELETED : "It was erased meanwhile: look again.", []);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      showState(`What it was like is not known. ${error.sentence} Choose it again to try again.`, []);
    }
  }

  /** What the events say needs no request. @param {any} change The event of the version. */
  #showWhere(change) {
    const words = `Version ${count(this.#version)} of ${count(this.#last)}`;
    this.#slider.value = String(this.#version);
    this.#slider.ariaValueText = `${words}, ${change.eventType}`;
    element("earlier").ariaDisabled = String(this.#version === 1);
    element("later").ariaDisabled = String(this.#version === this.#last);
    setText("version-words", words);
    setText("version-origin", originOf(change, this.#rows));
    showEvents(this.#of, this.#rows, this.#version);
  }

  #reveal() {
    element("history").scrollIntoView();
    element(element("slide").hidden ? "history-title" : "version").focus({ preventScroll: true });
  }
}

/** Whether the keyboard's focus is where nobody has just arrived. */
function isBusyElsewhere() {
  const { activeElement } = document;
  return activeElement !== null && activeElement !== document.body && !activeElement.id.endsWith("-title");
}

/** @param {string} words @param {import("/client/users/difference.js").Difference[]} differences */
function showState(words, differences) {
  setText("version-change", words || summaryOf(differences));
  showDifferences(differences);
}
