/** Dead letters: what MongoDB refused for good, why, and a way to send it on its way again. */

import { addressOf } from "/client/page/address.js";
import { element, make, setText } from "/client/page/dom.js";
import { momentOf, sentence } from "/client/page/format.js";
import { RequestError, ask, getJson, refusal } from "/client/page/http.js";
import { aggregate, capital, kind } from "/client/page/kinds.js";
import { sleep } from "/client/page/sleep.js";

/** @typedef {{ id?: number, userId?: number, seed: string, version: number, error: string, appId: string, createdAt: string }} Letter */

const PAGE = 50;
/** After the first, MongoDB has mostly taken it, or refused it again; on a busy machine, that takes longer. */
const LOOKS_AGAIN_MS = [1_500, 3_000, 6_000, 12_000];

export class LettersView {
  #leave = new AbortController();
  #parameters = new URLSearchParams();
  /** How many were sent again: the last one is spoken of. */
  #turn = 0;

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    const { signal } = (this.#leave = new AbortController());
    this.#parameters = parameters;
    setText("letters-state", "Asking PostgreSQL…");
    await this.#try(signal, async () => {
      const { letters } = await this.#list(signal);
      const of = parameters.get("seed") ? ` of run ${parameters.get("seed")}` : "";
      setText("letters-state", letters.length === 0 ? `None${of}: all were taken.` : of && `Those${of}.`);
    });
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }

  /** @param {AbortSignal} signal */
  async #list(signal) {
    const [seed, after] = ["seed", "after"].map((name) => this.#parameters.get(name) ?? "");
    const query = new URLSearchParams({ limit: String(PAGE), ...(seed && { seed }), ...(after && { after }) });
    /** @type {Letter[]} */
    const letters = await getJson(`${path()}?${query}`, signal);
    element("letter-list").replaceChildren(...letters.map((letter) => this.#itemOf(letter)));
    const next = element("next-letters");
    next.hidden = letters.length < PAGE;
    next.href = addressOf("letters", { seed, after: String(idOf(letters.at(-1)) ?? ""), aggregate: aggregate() });
    return { letters };
  }

  /** @param {Letter} letter */
  #itemOf(letter) {
    const name = `${capital(kind().name)} ${idOf(letter)}`;
    const button = make("button", { type: "button", class: "quiet", "aria-label": `Retry ${name}` }, "Retry");
    button.addEventListener("click", () => this.#retry(letter, name));
    const run = make("a", { href: addressOf("runs", { seed: letter.seed, aggregate: aggregate() }) }, letter.seed);
    return make(
      "li",
      { class: "letter" },
      make("p", {}, make("a", { href: addressOf("users", { id: String(idOf(letter)), aggregate: aggregate() }) }, name), ` version ${letter.version}`, letter.seed && ", run ", letter.seed && run),
      make("p", { class: "wrong" }, sentence(letter.error)),
      make("p", { class: "hint" }, `${momentOf(letter.createdAt)}, met by ${letter.appId}`),
      button,
    );
  }

  /** @param {Letter} letter @param {string} name */
  async #retry(letter, name) {
    const { signal } = this.#leave;
    setText("letters-state", `Sending ${name} on its way again…`);
    await this.#try(signal, async () => {
      const command = { method: /** @type {const} */ ("POST"), idempotencyKey: `retry ${idOf(letter)} ${Date.now()}` };
      const answer = await ask(`${path()}/${idOf(letter)}/retry`, { command, signal, timeoutMs: 15_000 });
      if (answer.status !== 200) throw refusal(answer);
      const turn = ++this.#turn;
      for (const [look, ms] of LOOKS_AGAIN_MS.entries()) {
        await sleep(ms, signal);
        const isRefused = await this.#isThere(letter, signal);
        if (turn !== this.#turn) return; // another one was sent meanwhile, and is spoken of now
        if (look === 0 || isRefused) await this.#list(signal);
        setText("letters-state", isRefused ? `${name} was refused again.` : `${name} is on its way again.`);
        if (look === 0) element("letters-title").focus();
        if (isRefused) return;
      }
    });
  }

  /** @param {Letter} letter @param {AbortSignal} signal */
  async #isThere(letter, signal) {
    /** @type {Letter[]} */
    const [first] = await getJson(`${path()}?limit=1&after=${Number(idOf(letter)) - 1}`, signal);
    return first !== undefined && idOf(first) === idOf(letter);
  }

  /** @param {AbortSignal} signal @param {() => Promise<void>} act */
  async #try(signal, act) {
    try {
      await act();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      setText("letters-state", error.sentence);
    }
  }
}

/** @param {Letter | undefined} letter */
const idOf = (letter) => letter?.id ?? letter?.userId;

const path = () => `/api/v1/${aggregate() && `${aggregate()}-`}dead-letters`;
