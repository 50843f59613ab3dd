/** Lights up what belongs together in the two forms of a user: a column, and the field that it became. */

import { element, onClick, setText } from "/client/page/dom.js";
import { fateOf, originOf } from "/client/users/columns.js";

const HINT = "Point at a column or a field, or press on its name, to see what it became.";
const PLACE = "[data-field]";
const NAME = `${PLACE} button`;
const GROUP = "details, pre";

/** @typedef {HTMLElement | null} Place A column with its value, or a field with its. */

/** @type {Place} Where the keyboard or a finger was last: it stays lit when the pointer has gone on. */
let chosen = null;
/** @type {Place} */
let pointed = null;

/** Listen to both forms. What is drawn in them may change meanwhile. */
export function watchPairs() {
  const both = element("both");
  both.addEventListener("pointerover", (/** @type {PointerEvent} */ { target, pointerType }) => {
    if (pointerType === "touch") return; // whoever scrolls points at nothing
    pointed = placeOf(target);
    light();
  });
  both.addEventListener("pointerleave", () => {
    pointed = null;
    light();
  });
  for (const kind of ["click", "focusin"]) {
    both.addEventListener(kind, (/** @type {Event} */ { target }) => {
      chosen = placeOf(target) ?? chosen;
      holdTabStop(/** @type {HTMLElement} */ (target));
      light();
    });
  }
  both.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const button = /** @type {HTMLElement} */ (event.target);
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !button.matches(NAME)) return;
    event.preventDefault(); // the page would scroll
    const all = [...(button.closest(GROUP)?.querySelectorAll(NAME) ?? [])];
    /** @type {any} */ (all[all.indexOf(button) + by])?.focus();
  });
  onClick("pair-show", () => {
    const other = chosen && partnersOf(chosen)[0];
    other?.closest("details")?.setAttribute("open", "");
    other?.querySelector("button")?.focus();
  });
  light();
}

/** @param {Element} container What was drawn anew. */
export function watchAnew(container) {
  for (const group of [container, ...container.querySelectorAll(GROUP)]) {
    const first = group.querySelector(NAME);
    if (first) holdTabStop(first);
  }
  pointed = chosen = null;
  light();
}

/** One name of each table, and one of the document, is on the tabulator's way; arrows lead to the others. @param {Element} name */
function holdTabStop(name) {
  if (!name.matches(NAME)) return;
  for (const each of name.closest(GROUP)?.querySelectorAll(NAME) ?? []) each.setAttribute("tabindex", each === name ? "0" : "-1");
}

/** @param {EventTarget | null} target @returns {Place} */
function placeOf(target) {
  return target instanceof Element ? target.closest(PLACE) : null;
}

/** What else has the same field. @param {HTMLElement} place @returns {HTMLElement[]} */
function partnersOf(place) {
  const all = /** @type {HTMLElement[]} */ ([...element("both").querySelectorAll(PLACE)]);
  return all.filter((each) => each !== place && each.dataset.field !== "" && each.dataset.field === place.dataset.field);
}

function light() {
  const place = pointed ?? chosen;
  for (const each of element("both").querySelectorAll(".lit")) each.classList.remove("lit");
  const partners = place ? partnersOf(place) : [];
  for (const each of place ? [place, ...partners] : []) each.classList.add("lit");
  setText("pair-words", place ? wordsOf(place) : HINT);
  element("pair-show").hidden = place !== chosen || partners.length === 0;
}

/** @param {HTMLElement} place */
function wordsOf({ dataset: { table, column, field = "" } }) {
  return table && column ? fateOf(table, column) : originOf(field);
}
