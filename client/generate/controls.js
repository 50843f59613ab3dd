/** Wires the form to runs, and a run to what is shown of it. */

import { hideEnding, showEnding } from "/client/generate/ending.js";
import { fillIn, fillInServer, forgetComplaint, offerServer, readOrder, seedOf, setSeed, setSource, showLimits, showSender } from "/client/generate/form.js";
import { forgetOrder, keepOrder, keptOrder } from "/client/generate/memory.js";
import { hideSourceNotice, showOffer, showRun, showSourceNotice } from "/client/generate/panel.js";
import { Run } from "/client/generate/run.js";
import { freshSeed } from "/client/generate/seed.js";
import { ServerRun } from "/client/generate/server_run.js";
import { element } from "/client/page/dom.js";
import { sentence } from "/client/page/format.js";

/** @typedef {import("/client/break/desk.js").Lab} Lab */
/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {{ users: number, isSending: boolean }} Expectation How many users a run is to have, 0 where nobody here knows; and whether this page sends them. */

/** Four times a second: digits that change faster can't be read, and the browser's time belongs to the requests. */
const FRAME_MS = 250;

export class Controls {
  /** @type {Run | ServerRun | null} The run that this page sends or has the server send, or did last. */
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
    on("resume", () => this.#resume());
    addEventListener("beforeunload", (event) => this.isSending && event.preventDefault());
  }

  /** Whether leaving the page would end a run. */
  get isSending() {
    return this.run instanceof Run && !this.run.isOver && this.run.accepted > 0 && this.run.phase !== "synchronizing";
  }

  /** @param {string} seed Of the run that the page shows. */
  setSeed(seed) {
    if (seedOf(this.#form) === seed) return;
    setSeed(this.#form, seed);
    showOffer(null);
    hideEnding();
  }

  /** What the desk says: whether the server can send, and how far it is; it may have begun before this page came. @param {Lab | null} lab */
  hearDesk(lab) {
    offerServer(this.#form, lab && lab.limits);
    if (!lab) return;
    const { load } = lab;
    if (this.run instanceof ServerRun) this.run.hear(load);
    const isGoingOn = load?.state === "preparing" || load?.state === "sending";
    if (!isGoingOn || load.seed !== seedOf(this.#form) || (this.run && !this.run.isOver)) return;
    fillInServer(this.#form, load);
    this.#follow(new ServerRun(load, load));
  }

  /** @param {Sample} sample */
  observe(sample) {
    const isRunning = this.run !== null && !this.run.isOver;
    if (isRunning && this.run?.order.seed === sample.seed) this.run.observe(sample);
    const order = isRunning ? null : keptOrder(sample.seed);
    const isShort = order !== null && sample.databases.postgresql === "up" && sample.stages.stored < order.count;
    showOffer(isShort ? order : null);
  }

  /**
   * What is to come of a run, as far as this page knows.
   *
   * @param {string} seed
   * @returns {Expectation}
   */
  expectationOf(seed) {
    const { run } = this;
    const isOurs = run?.order.seed === seed;
    if (isOurs && !run.isOver) return { users: run.target, isSending: run.phase === "fetching" || run.phase === "sending" };
    if (isOurs && run.target > 0) return { users: run.target, isSending: false };
    return { users: keptOrder(seed)?.count ?? 0, isSending: false };
  }

  #submit() {
    if (this.run && !this.run.isOver) return;
    const order = readOrder(this.#form);
    if (!order) return;
    if (!("users" in order)) keepOrder(order);
    this.#follow("users" in order ? new ServerRun(order) : new Run(order));
  }

  /** @param {Run | ServerRun} run */
  async #follow(run) {
    hideSourceNotice();
    hideEnding();
    showOffer(null);
    this.run = run;
    this.onSeed(run.order.seed);
    keepShowing(run);
    await run.start();
    if (run instanceof Run && (run.phase !== "failed" || run.accepted === 0)) forgetOrder();
    showRun(run);
    if (run.phase !== "failed" && run.accepted > 0) await showEnding(run, () => seedOf(this.#form) === run.order.seed);
    if (run instanceof Run && run.sent.sourceError) announceSource(run);
  }

  /** @param {string} field */
  #change(field) {
    if (field === "source") showLimits(this.#form);
    if (field === "sender") showSender(this.#form);
    if (field !== "seed" || !seedOf(this.#form) || (this.run && !this.run.isOver)) return;
    hideEnding();
    this.onSeed(seedOf(this.#form));
  }

  #useFreshSeed() {
    setSeed(this.#form, freshSeed());
    this.#change("seed");
  }

  #togglePause() {
    const { run } = this;
    if (!(run instanceof Run) || element("pause").getAttribute("aria-disabled") === "true") return;
    run.togglePause();
    showRun(run);
  }

  /** Send the kept order again, from its beginning: each user has the same key as before. */
  #resume() {
    const order = keptOrder(seedOf(this.#form));
    if (!order) return;
    fillIn(this.#form, order);
    element("generate").focus(); // the button that was pressed is about to go
    this.#form.requestSubmit();
  }

  #useBuiltIn() {
    setSource(this.#form, "built-in");
    element("generate").focus(); // the button that was pressed is about to go
    this.#form.requestSubmit();
  }
}

/** @param {Run | ServerRun} run */
function keepShowing(run) {
  if (run.isOver) return;
  showRun(run);
  setTimeout(() => requestAnimationFrame(() => keepShowing(run)), FRAME_MS);
}

/** @param {Run} failed */
function announceSource({ order, sent: { sourceError } }) {
  const builtIn = order.source === "built-in";
  const name = builtIn ? "The built-in generator" : "randomuser.me";
  const what = sourceError?.status === null ? "cannot be reached" : "gave no users";
  showSourceNotice(`${name} ${what}. ${sentence(sourceError?.message ?? "")}`, builtIn ? null : "built-in");
}

/** @param {string} id @param {() => void} listener */
function on(id, listener) {
  element(id).addEventListener("click", listener);
}
