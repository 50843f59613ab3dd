/** The form: what it asks for, said clearly where it is wrong. */

import { MAX_SEED_LENGTH } from "/client/generate/seed.js";
import { maxUsersOf } from "/client/generate/sources.js";
import { element } from "/client/page/dom.js";
import { count as formatCount } from "/client/page/format.js";

/** @typedef {import("/client/generate/run.js").Order} Order */
/** @typedef {import("/client/generate/sources.js").SourceName} SourceName */

/** A browser opens six connections to a host, and the live stream holds one of them. */
const MAX_CONCURRENCY = 5;
const MAX_RATE = 10_000;

/**
 * Read the form. Says beside each field what is wrong with it, and puts the cursor into the first of them.
 *
 * @param {HTMLFormElement} form
 * @returns {Order | null} Null when something is wrong.
 */
export function readOrder(form) {
  const { count, seed, source, concurrency, rate } = fields(form);
  const complaints = [
    complain(count, countComplaint(count, maxUsers(form))),
    complain(seed, seedComplaint(seed.value)),
    complain(concurrency, numberComplaint(concurrency, 1, MAX_CONCURRENCY)),
    complain(rate, numberComplaint(rate, 0, MAX_RATE)),
  ];
  const first = complaints.find((input) => input !== null);
  if (first) return reveal(first);
  return {
    count: Number(count.value),
    seed: seed.value.trim(),
    source: /** @type {SourceName} */ (source.value),
    concurrency: Number(concurrency.value),
    rate: Number(rate.value),
  };
}

/** @param {HTMLFormElement} form @returns {string} */
export function seedOf(form) {
  return fields(form).seed.value.trim();
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
  showMaximum(form);
}

/** Write an order into the form. @param {HTMLFormElement} form @param {Order} order */
export function fillIn(form, order) {
  setSource(form, order.source);
  const inputs = fields(form);
  for (const name of /** @type {const} */ (["count", "seed", "concurrency", "rate"])) {
    inputs[name].value = String(order[name]);
    complain(inputs[name], "");
  }
}

/** Each source has its own. @param {HTMLFormElement} form */
export function showMaximum(form) {
  const { count } = fields(form);
  count.max = String(maxUsers(form));
  element("count-hint").dataset.hint = `1 to ${formatCount(maxUsers(form))}`;
  complain(count, "");
}

/** Whoever corrects a field need not look at the complaint any longer. @param {HTMLInputElement} input */
export function forgetComplaint(input) {
  if (input.getAttribute("aria-invalid") === "true") complain(input, "");
}

/** @param {HTMLInputElement} input @param {number} most */
function countComplaint(input, most) {
  if (input.value === "" && !input.validity.badInput) return `How many users? Enter 1 to ${formatCount(most)}.`;
  return numberComplaint(input, 1, most);
}

/** @param {HTMLInputElement} input @param {number} least @param {number} most */
function numberComplaint(input, least, most) {
  const value = Number(input.value);
  const isWhole = input.value !== "" && !input.validity.badInput && Number.isInteger(value);
  return isWhole && value >= least && value <= most ? "" : `Enter a whole number from ${least} to ${formatCount(most)}.`;
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
  const hint = element(`${input.id}-hint`);
  hint.textContent = complaint || (hint.dataset.hint ?? "");
  hint.classList.toggle("wrong", complaint !== "");
  input.setAttribute("aria-invalid", String(complaint !== ""));
  return complaint ? input : null;
}

/** It may be folded away. @param {HTMLInputElement} input */
function reveal(input) {
  input.closest("details")?.setAttribute("open", "");
  input.focus();
  return null;
}

/** @param {HTMLFormElement} form */
function maxUsers(form) {
  return maxUsersOf(/** @type {SourceName} */ (fields(form).source.value));
}

/** @param {HTMLFormElement} form */
function fields(form) {
  const named = /** @type {any} */ (form.elements);
  return {
    count: /** @type {HTMLInputElement} */ (named.count),
    seed: /** @type {HTMLInputElement} */ (named.seed),
    source: /** @type {RadioNodeList} */ (named.source),
    concurrency: /** @type {HTMLInputElement} */ (named.concurrency),
    rate: /** @type {HTMLInputElement} */ (named.rate),
  };
}
