/** The race: the same users through another design and through Tandem, side by side, as the desk tells it. */

import { talk } from "/client/break/desk.js";
import { addressOf } from "/client/page/address.js";
import { element, make, onClick, setText } from "/client/page/dom.js";
import { RequestError, ask, getJson } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { isRefusedAccess } from "/client/page/token.js";
import { nameFault, orderOf, showPeers } from "/client/race/form.js";
import { drawLanes } from "/client/race/lanes.js";
import { isOver, progressOf, titleOf } from "/client/race/words.js";

/** @typedef {{ name: string, acknowledged: number, first: number, second: number, perSecond: number, lost: number | null, doubled: number | null, seconds: number, history: [number, number, number][] }} Side */
/** @typedef {"preparing" | "sending" | "settling" | "done" | "stopped" | "failed"} State */
/** @typedef {{ peer: string, what: string, users: number, rate: number | null, fault: string | null, seed: string, state: State, reason: string, startedAt: string, sides: Side[], faults: { atSecond: number, text: string }[], sentence: string }} Race */

const ASK_MS = 500;
/** Somebody else may begin one. */
const IDLE_MS = 3_000;
const TIMEOUT_MS = 10_000;
const STOPPING = "Stopping: the other design is ended, and its stores are emptied…";

/** Show the tab where the desk has somebody to race with. @param {import("/client/break/desk.js").Lab | null} lab */
export function offerRace(lab) {
  element("tab-race").hidden = !lab?.peers.length;
}

export class RaceView {
  #leave = new AbortController();
  /** The seed of the race that was stopped here, which takes some seconds. */
  #stopped = "";
  #shown = "";

  constructor() {
    element("race-order").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#begin();
    });
    onClick("race-stop", () => this.#stop());
  }

  async show() {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    const { peers, status } = await talk("GET", "/lab", undefined, signal).then(
      (lab) => ({ peers: lab.peers, status: 200 }),
      (error) => ({ peers: [], status: error.status ?? 0 }),
    );
    if (signal.aborted) return;
    element("race-order").hidden = peers.length === 0;
    showPeers(peers);
    if (peers.length === 0) return setText("race-state", whyNot(status));
    await this.#follow(signal).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    for (;;) {
      let wait = IDLE_MS;
      try {
        if (!document.hidden) {
          const race = await getJson("/lab/race", signal, TIMEOUT_MS);
          if (race) this.#show(race);
          else setText("race-state", "No race yet. Start one: it takes about a minute.");
          if (race && !isOver(race)) wait = ASK_MS;
        }
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        setText("race-state", `How it stands is not known. ${error.sentence} Asking again…`);
      }
      await sleep(wait, signal);
    }
  }

  /** @param {Race} race */
  #show(race) {
    this.#shown = race.seed;
    setText("race-state", this.#stopped === race.seed && !isOver(race) ? STOPPING : progressOf(race));
    showRace(race);
  }

  async #begin() {
    const { signal } = this.#leave;
    const order = orderOf();
    nameFault(null);
    const answer = await this.#ask({ method: "POST", idempotencyKey: order.seed, json: order });
    if (!answer || signal.aborted) return;
    if (answer.status === 202) {
      this.#show(answer.body);
      element("race-state").scrollIntoView();
      return this.show();
    }
    const { detail, errors } = answer.body ?? {};
    if (!nameFault(errors?.[0] ?? null)) setText("race-state", detail ?? `It could not begin (${answer.status}).`);
  }

  async #stop() {
    if (element("race-stop").getAttribute("aria-disabled") === "true") return;
    this.#stopped = this.#shown;
    setText("race-state", STOPPING);
    await this.#ask({ method: "DELETE", idempotencyKey: "stop" });
  }

  /** @param {import("/client/page/http.js").Command} command */
  async #ask(command) {
    try {
      return await ask("/lab/race", { command, signal: this.#leave.signal, timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (error instanceof RequestError) setText("race-state", error.sentence);
      return null;
    }
  }
}

/** @param {number} status Of the desk's answer; 0 where there was none. */
function whyNot(status) {
  if (isRefusedAccess(status)) return "To race, one must be allowed to operate this stack. Enter such a token under Access.";
  if (status !== 200 && status !== 404) return "Whether one can race here is not known: the server does not answer. Reload the page to try again.";
  return "There is no race here. It needs a stack of one host with databases of its own, as “tandem up” runs it: there, other designs may have stores beside it, and be killed.";
}

/** @param {Race} race */
function showRace(race) {
  element("race-shown").hidden = false;
  element("race-shown").dataset.state = race.state;
  element("race-start").setAttribute("aria-disabled", String(!isOver(race)));
  element("race-stop").setAttribute("aria-disabled", String(isOver(race)));
  setText("race-run", titleOf(race));
  setText("race-what", race.what);
  showSentence(race);
  drawLanes(race);
}

/** @param {Race} race */
function showSentence(race) {
  element("race-end").hidden = !race.sentence;
  if (element("race-sentence").textContent === race.sentence) return;
  setText("race-sentence", race.sentence);
  const users = make("a", { href: addressOf("users", { seed: race.seed }) }, "its users");
  const run = make("a", { href: addressOf("live", { seed: race.seed }) }, "its run");
  element("race-links").replaceChildren("Look at ", users, " in Tandem, or at ", run, ". Why it is so is in ", make("code", {}, "docs/why.md"), ".");
}
