/** The form: what it asks for, said clearly where it is wrong. */

import { MAX_SEED_LENGTH } from "/client/seed.js";

/** @typedef {import("/client/run.js").Order} Order */
/** @typedef {import("/client/sources.js").SourceName} SourceName */

export const MAX_USERS = 5000;

/**
 * Read the form. Says beside each field what is wrong with it, and puts the cursor into the first of them.
 *
 * @param {HTMLFormElement} form
 * @returns {Order | null} Null when something is wrong.
 */
export function readOrder(form) {
  const { count, seed, source } = fields(form);
  const complaints = [complain(count, countComplaint(count)), complain(seed, seedComplaint(seed.value))];
  const first = complaints.find((input) => input !== null);
  first?.focus();
  if (first) return null;
  return { count: Number(count.value), seed: seed.value.trim(), source: /** @type {SourceName} */ (source.value) };
}

/** @param {HTMLFormElement} form @param {string} value */
export function setSeed(form, value) {
  const { seed } = fields(form);
  seed.value = value;
  complain(seed, "");
}

/** @param {HTMLFormElement} form @param {SourceName} value */
export function setSource(form, value) {
  fields(form).source.value = value;
}

/** Whoever corrects a field need not look at the complaint any longer. @param {HTMLInputElement} input */
export function forgetComplaint(input) {
  if (input.getAttribute("aria-invalid") === "true") complain(input, "");
}

/** @param {HTMLInputElement} input */
function countComplaint(input) {
  if (input.validity.badInput) return "That is not a number. Enter 1 to 5,000.";
  if (input.value === "") return "How many users? Enter 1 to 5,000.";
  const value = Number(input.value);
  if (!Number.isInteger(value)) return "Users come whole. Enter 1 to 5,000.";
  return value >= 1 && value <= MAX_USERS ? "" : "Enter a number from 1 to 5,000.";
}

/** @param {string} value */
function seedComplaint(value) {
  const length = [...value.trim()].length;
  if (length === 0) return "A run needs a seed: any word will do.";
  return length <= MAX_SEED_LENGTH ? "" : `At most ${MAX_SEED_LENGTH} characters; this has ${length}.`;
}

/**
 * Put the complaint where the field's hint is, or the hint back.
 *
 * @param {HTMLInputElement} input
 * @param {string} complaint
 * @returns {HTMLInputElement | null} The input, if there is a complaint.
 */
function complain(input, complaint) {
  const hint = /** @type {HTMLElement} */ (document.getElementById(`${input.id}-hint`));
  hint.textContent = complaint || (hint.dataset.hint ?? "");
  hint.classList.toggle("wrong", complaint !== "");
  input.setAttribute("aria-invalid", String(complaint !== ""));
  return complaint ? input : null;
}

/** @param {HTMLFormElement} form */
function fields(form) {
  const named = /** @type {any} */ (form.elements);
  return {
    count: /** @type {HTMLInputElement} */ (named.count),
    seed: /** @type {HTMLInputElement} */ (named.seed),
    source: /** @type {RadioNodeList} */ (named.source),
  };
}
