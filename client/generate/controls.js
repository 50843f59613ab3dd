/** Wires the form to runs, and a run to what is shown of it. */

import { forgetComplaint, readOrder, seedOf, setSeed, setSource, showMaximum } from "/client/generate/form.js";
import { hideSourceNotice, showRun, showSourceNotice } from "/client/generate/panel.js";
import { Run } from "/client/generate/run.js";
import { freshSeed } from "/client/generate/seed.js";
import { element } from "/client/page/dom.js";

/** @typedef {import("/client/generate/run.js").Order} Order */
/** @typedef {import("/client/live/feed.js").Sample} Sample */

/** Ten times a second: digits that change faster can't be read. */
const FRAME_MS = 100;

export class Controls {
  /** @type {Run | null} The run that this page sends, or sent last. */
  run = null;
  #form = element("order");

  /** @param {(seed: string) => void} onSeed Called when the form names another run. */
  constructor(onSeed) {
    this.onSeed = onSeed;
    this.#form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("input", (/** @type {any} */ event) => forgetComplaint(event.target));
    this.#form.addEventListener("change", (/** @type {any} */ event) => this.#change(event.target.name));
    on("fresh-seed", () => this.#useFreshSeed());
    on("pause", () => this.#togglePause());
    on("cancel", () => this.run?.cancel());
    on("use-other-source", () => this.#useBuiltIn());
    addEventListener("beforeunload", (event) => this.isSending && event.preventDefault());
  }

  /** Whether leaving the page would end a run. */
  get isSending() {
    return this.run !== null && !this.run.isOver && this.run.accepted > 0 && this.run.phase !== "synchronizing";
  }

  /** @param {string} seed Of the run that the page shows. */
  setSeed(seed) {
    if (seedOf(this.#form) !== seed) setSeed(this.#form, seed);
  }

  /** @param {Sample} sample */
  observe(sample) {
    if (this.run && !this.run.isOver && this.run.order.seed === sample.seed) this.run.observe(sample);
  }

  #submit() {
    if (this.run && !this.run.isOver) return;
    const order = readOrder(this.#form);
    if (order) this.#begin(order);
  }

  /** @param {Order} order */
  async #begin(order) {
    hideSourceNotice();
    this.onSeed(order.seed);
    const run = new Run(order);
    this.run = run;
    keepShowing(run);
    await run.start();
    showRun(run);
    if (run.sourceError) announceSource(run);
  }

  /** @param {string} field */
  #change(field) {
    if (field === "source") showMaximum(this.#form);
    if (field === "seed" && seedOf(this.#form) && (!this.run || this.run.isOver)) this.onSeed(seedOf(this.#form));
  }

  #useFreshSeed() {
    setSeed(this.#form, freshSeed());
    this.#change("seed");
  }

  #togglePause() {
    const { run } = this;
    if (!run || element("pause").getAttribute("aria-disabled") === "true") return;
    if (run.pace.isPaused) run.pace.resume();
    else run.pace.pause();
    showRun(run);
  }

  #useBuiltIn() {
    setSource(this.#form, "built-in");
    element("generate").focus(); // the button that was pressed is about to go
    this.#form.requestSubmit();
  }
}

/** Between two looks the browser draws nothing for us: its time belongs to the requests. @param {Run} run */
function keepShowing(run) {
  if (run.isOver) return;
  showRun(run);
  setTimeout(() => requestAnimationFrame(() => keepShowing(run)), FRAME_MS);
}

/** @param {Run} failed */
function announceSource({ order, sourceError }) {
  const builtIn = order.source === "built-in";
  const name = builtIn ? "The built-in generator" : "randomuser.me";
  const what = sourceError?.status === null ? "cannot be reached" : "gave no users";
  showSourceNotice(`${name} ${what}. ${sourceError?.message}.`, builtIn ? null : "built-in");
}

/** @param {string} id @param {() => void} listener */
function on(id, listener) {
  element(id).addEventListener("click", listener);
}
