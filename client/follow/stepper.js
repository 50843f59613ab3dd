/** Goes through the steps of a user, one at a time, forward and back, and on to the next version. */

import { sentOf } from "/client/follow/sent.js";
import { stepsOf, summaryOf } from "/client/follow/steps.js";
import { addressOf, replaceAddress } from "/client/page/address.js";
import { element, make, onClick, setText } from "/client/page/dom.js";
import { RequestError, ask, refusal } from "/client/page/http.js";
import { changesOf } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Sides} Sides */
/** @typedef {import("/client/follow/steps.js").Step} Step */

const TIMEOUT_MS = 30_000;

export class Stepper {
  #id = "";
  /** @type {Sides | null} Null while nobody follows. */
  #sides = null;
  /** The version that is looked at; 0: none yet. */
  #version = 0;
  /** From 0 on. */
  #at = 0;
  /** @type {Step[]} */
  #steps = [];
  #choose;

  /** @param {(version: number) => void} choose Has another version looked at. */
  constructor(choose) {
    this.#choose = choose;
    onClick("step-back", () => this.#go(-1));
    onClick("step-next", () => this.#go(1));
    onClick("step-resend", () => this.#resend());
    onClick("steps", ({ target }) => {
      const button = /** @type {HTMLElement} */ (target).closest("button");
      if (button) this.#show(Number(button.dataset.step), true);
    });
    element("follow-steps").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.#go(by);
    });
  }

  /** Another user. @param {string} id @param {string | null} step The number in the address, from 1 on. */
  begin(id, step) {
    this.#id = id;
    this.#version = 0;
    this.#at = Math.trunc(Number(step) || 1) - 1;
  }

  /** What is known by now. @param {Sides | null} sides Null: nobody follows. */
  update(sides) {
    this.#sides = sides;
    element("follow-steps").hidden = sides === null;
    this.#show(this.#at);
  }

  /** Another version is looked at. @param {number} version */
  look(version) {
    if (version === this.#version) return;
    if (this.#version !== 0) this.#at = this.#at < 0 ? Infinity : 0; // whoever goes back comes to the last step
    this.#version = version;
    this.#show(this.#at);
  }

  /** @param {number} by */
  #go(by) {
    const at = this.#at + by;
    const version = this.#version + by;
    if (this.#steps[at]) return this.#show(at, true);
    if (!this.#has(version)) return;
    this.#at = at;
    this.#choose(version);
    this.#show(this.#at, true);
  }

  /** @param {number} version */
  #has(version) {
    return this.#sides !== null && changesOf(this.#sides.rows).some((event) => event.version === version);
  }

  /** @param {number} wanted @param {boolean} [isChosen] Then it is in the address. */
  #show(wanted, isChosen = false) {
    if (!this.#sides) return;
    const steps = (this.#steps = stepsOf(this.#id, this.#sides, this.#version, sentOf(this.#id, this.#version)));
    setText("steps-took", summaryOf(this.#sides, this.#version));
    element("steps-of").hidden = steps.length === 0;
    if (steps.length === 0) return;
    this.#at = Math.max(0, Math.min(wanted, steps.length - 1));
    const words = { version: String(this.#version), step: String(this.#at + 1) };
    if (isChosen) replaceAddress(addressOf("follow", { id: this.#id, ...words }));
    showList(steps, this.#at);
    showStep(steps[this.#at], `Version ${words.version}, step ${words.step} of ${steps.length}`);
    setText("step-resent", "");
    element("step-resend").hidden = this.#at !== 0 || sentOf(this.#id, this.#version)?.method !== "POST";
    const isFirst = this.#at === 0 && !this.#has(this.#version - 1);
    const isLast = this.#at === steps.length - 1 && !this.#has(this.#version + 1);
    element("step-back").ariaDisabled = String(isFirst);
    element("step-next").ariaDisabled = String(isLast);
    setText("step-next", this.#at < steps.length - 1 || isLast ? "Next" : `Next: version ${this.#version + 1}`);
    setText("step-end", isLast && this.#sides.rows.state === "found" ? "That was all. Press Edit or Delete above, and the next version goes the same way." : "");
  }

  /** What the key is for: the same command once more makes nobody. */
  async #resend() {
    const [id, sent] = [this.#id, sentOf(this.#id, this.#version)];
    if (!sent) return;
    setText("step-resent", "Sending…");
    const { url, idempotencyKey, json } = sent;
    const words = await sayOf(ask(url, { command: { method: "POST", idempotencyKey, json }, signal: new AbortController().signal, timeoutMs: TIMEOUT_MS }));
    if (id === this.#id) setText("step-resent", words);
  }
}

/** @param {Promise<import("/client/page/http.js").Answer>} answer */
async function sayOf(answer) {
  try {
    const { status, headers, body, ...rest } = await answer;
    if (status !== 201) return refusal({ status, body, ...rest }).sentence;
    const isReplayed = headers.get("Idempotent-Replayed") === "true";
    return `Answered ${status} with user ${body.id}${isReplayed ? ", and Idempotent-Replayed: true. It is the same user: nobody was created twice." : "."}`;
  } catch (error) {
    if (error instanceof RequestError) return error.sentence;
    throw error;
  }
}

/** @param {Step[]} steps @param {number} at */
function showList(steps, at) {
  const list = element("steps");
  if (list.children.length === 0) list.append(...steps.map(({ title }, step) => make("li", {}, make("button", { type: "button", "data-step": step }, title))));
  steps.forEach(({ state }, step) => {
    list.children[step].dataset.state = state;
    list.children[step].firstChild.ariaCurrent = step === at ? "step" : null;
  });
}

/** @param {Step} step @param {string} place */
function showStep({ title, when, what, died, trace, json, note }, place) {
  setText("step-place", place);
  setText("step-title", title);
  setText("step-when", when);
  setText("step-what", what);
  element("step-why").hidden = !what.includes("SYNCRONIZED");
  setText("step-died", died);
  element("step-trace").replaceChildren(...trace.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  element("step-json").hidden = json === undefined;
  setText("step-json", json === undefined ? "" : JSON.stringify(json, null, 2));
  setText("step-note", note);
}
