/** The form: what it asks for, said clearly where it is wrong. */

import { MAX_SEED_LENGTH } from "/client/generate/seed.js";
import { maxUsersOf } from "/client/generate/sources.js";
import { element } from "/client/page/dom.js";
import { count as formatCount } from "/client/page/format.js";

/** @typedef {import("/client/generate/run.js").Order} Order */
/** @typedef {import("/client/generate/server_run.js").ServerOrder} ServerOrder */
/** @typedef {import("/client/generate/sources.js").SourceName} SourceName */
/** @typedef {{ users: number, rate: number, connections: number }} Limits */

/** A browser opens six connections to a host, and the live stream holds one of them. */
const MAX_CONCURRENCY = 5;
const MAX_RATE = 10_000;
/** What the server begins with; it may open more. */
const SERVER_CONCURRENCY = 50;
const MAX_SHARE = 100;

/** @type {Limits | null} Those of the server's own sending, where it can be asked for. */
let ofServer = null;

/**
 * Read the form. Says beside each field what is wrong with it, and puts the cursor into the first of them.
 *
 * @param {HTMLFormElement} form
 * @returns {Order | ServerOrder | null} Null when something is wrong.
 */
export function readOrder(form) {
  const { count, seed, source, concurrency, rate, create, update, delete: remove } = fields(form);
  const limits = limitsOf(form);
  const complaints = [
    complain(count, countComplaint(count, limits.users)),
    complain(seed, seedComplaint(seed.value)),
    complain(concurrency, numberComplaint(concurrency, 1, limits.connections)),
    complain(rate, numberComplaint(rate, 0, limits.rate)),
    complain(create, serverOf(form) ? numberComplaint(create, 1, MAX_SHARE) : ""),
    ...[update, remove].map((share) => complain(share, serverOf(form) ? numberComplaint(share, 0, MAX_SHARE) : "")),
  ];
  const first = complaints.find((input) => input !== null);
  if (first) return reveal(first);
  if (serverOf(form)) {
    const mix = { create: Number(create.value), update: Number(update.value), delete: Number(remove.value) };
    return { seed: seed.value.trim(), users: Number(count.value), rate: Number(rate.value) || null, connections: Number(concurrency.value), mix };
  }
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
  showLimits(form);
}

/** Write an order into the form. @param {HTMLFormElement} form @param {Order} order */
export function fillIn(form, order) {
  setSender(form, "browser");
  setSource(form, order.source);
  const inputs = fields(form);
  for (const name of /** @type {const} */ (["count", "seed", "concurrency", "rate"])) {
    inputs[name].value = String(order[name]);
    complain(inputs[name], "");
  }
}

/** The same for what the server sends. @param {HTMLFormElement} form @param {ServerOrder} order */
export function fillInServer(form, { users, rate, connections, mix }) {
  setSender(form, "server");
  const inputs = fields(form);
  const values = { count: users, concurrency: connections, rate: rate ?? 0, ...mix };
  for (const [name, value] of Object.entries(values)) inputs[/** @type {keyof typeof values} */ (name)].value = String(value);
}

/** Each source has its own, and so has the server. @param {HTMLFormElement} form */
export function showLimits(form) {
  const { count, concurrency, rate } = fields(form);
  const { users, connections, rate: fastest } = limitsOf(form);
  for (const [input, most] of /** @type {[HTMLInputElement, number][]} */ ([[count, users], [concurrency, connections], [rate, fastest]])) input.max = String(most);
  for (const [input, most] of /** @type {[HTMLInputElement, number][]} */ ([[count, users], [concurrency, connections]])) {
    element(`${input.id}-hint`).dataset.hint = `1 to ${formatCount(most)}`;
    complain(input, "");
  }
}

/** Let people choose who sends. @param {HTMLFormElement} form @param {Limits | null} limits Null where the server cannot be asked. */
export function offerServer(form, limits) {
  if (limits === null && serverOf(form)) setSender(form, "browser");
  ofServer = limits;
  element("sender").hidden = limits === null;
}

/** @param {HTMLFormElement} form @param {"browser" | "server"} value */
function setSender(form, value) {
  fields(form).sender.value = value;
  showSender(form);
}

/** Show what there is to say to who sends. @param {HTMLFormElement} form */
export function showSender(form) {
  const isServer = serverOf(form) !== null;
  for (const part of form.querySelectorAll(".from-browser, .from-server")) /** @type {HTMLElement} */ (part).hidden = part.matches(".from-server") !== isServer;
  fields(form).concurrency.value = String(isServer ? SERVER_CONCURRENCY : MAX_CONCURRENCY);
  element("rate").labels[0].textContent = isServer ? "Commands per second" : "Users per second";
  showLimits(form);
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

/** The server's limits, if it is to send. @param {HTMLFormElement} form */
function serverOf(form) {
  return fields(form).sender.value === "server" ? ofServer : null;
}

/** @param {HTMLFormElement} form @returns {Limits} */
function limitsOf(form) {
  const users = maxUsersOf(/** @type {SourceName} */ (fields(form).source.value));
  return serverOf(form) ?? { users, rate: MAX_RATE, connections: MAX_CONCURRENCY };
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
    sender: /** @type {RadioNodeList} */ (named.sender),
    create: /** @type {HTMLInputElement} */ (named.create),
    update: /** @type {HTMLInputElement} */ (named.update),
    delete: /** @type {HTMLInputElement} */ (named.delete),
  };
}
