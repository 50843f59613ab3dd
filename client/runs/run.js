/** One run as it was judged: what became of it, what happened, and whom to look at. */

import { judge, addressOfVerdict, showVerdict } from "/client/runs/verdict.js";
import { addressOf } from "/client/page/address.js";
import { element, make, onClick, setText } from "/client/page/dom.js";
import { momentOf } from "/client/page/format.js";
import { RequestError, getJson, send } from "/client/page/http.js";
import { aggregate } from "/client/page/kinds.js";

/** @typedef {import("/client/runs/verdict.js").Verdict} Verdict */

export class RunView {
  #leave = new AbortController();
  #seed = "";
  /** @type {Verdict | null} */
  #verdict = null;

  constructor() {
    onClick("judge", () => this.#read("Comparing both databases…", (signal) => judge(this.#seed, null, null, signal)));
    onClick("export-json", () => save(`${this.#seed}.json`, "application/json", JSON.stringify(this.#verdict, null, 2)));
    onClick("export-html", () => this.#exportHtml());
    onClick("copy-link", () => copyLink());
  }

  /** @param {URLSearchParams} parameters */
  async show(parameters) {
    this.leave();
    this.#leave = new AbortController();
    this.#seed = parameters.get("seed") ?? "";
    this.#keep(null);
    setText("verdict-title", `Run ${this.#seed}`);
    element("verdict-back").href = addressOf("runs", { aggregate: aggregate() });
    element("verdict-live").href = addressOf("live", { seed: this.#seed, aggregate: aggregate() });
    await this.#read("Asking how it went…", (signal) => getJson(addressOfVerdict(this.#seed), signal));
    const list = document.getElementById(`named-${parameters.get("show")}`);
    if (list instanceof HTMLDetailsElement) {
      list.open = true;
      list.scrollIntoView();
    }
  }

  /** Whoever is elsewhere wants no more of it. */
  leave() {
    this.#leave.abort();
  }

  /** @param {string} meanwhile @param {(signal: AbortSignal) => Promise<Verdict>} ask */
  async #read(meanwhile, ask) {
    const { signal } = this.#leave;
    const button = element("judge");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    setText("verdict-state", meanwhile);
    try {
      const verdict = await ask(signal);
      if (signal.aborted) return;
      this.#keep(verdict);
      setText("verdict-state", `As it was judged at ${momentOf(verdict.madeAt)}.`);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      setText("verdict-state", error.status === 404 && !this.#verdict ? "Nobody has asked yet how this run went. Have both databases compared for it." : error.sentence);
    } finally {
      button.setAttribute("aria-disabled", "false");
    }
  }

  /** @param {Verdict | null} verdict */
  #keep(verdict) {
    this.#verdict = verdict;
    for (const id of ["export-html", "export-json"]) element(id).hidden = verdict === null;
    if (verdict) showVerdict(element("verdict-shown"), verdict);
    else element("verdict-shown").replaceChildren();
  }

  /** With the access token, which no link could send. */
  async #exportHtml() {
    const { signal } = this.#leave;
    try {
      const answer = await send(addressOfVerdict(this.#seed, ".html"), { signal });
      if (!answer.ok) setText("verdict-state", `The file could not be read (${answer.status}).`);
      else save(`${this.#seed}.html`, "text/html", await answer.text());
    } catch {
      if (!signal.aborted) setText("verdict-state", "The file could not be read: no answer.");
    }
  }
}

/** @param {string} name @param {string} type @param {string} text */
function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: `tandem-run-${name}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** The clipboard is there for addresses that browsers take for safe; others are shown. */
async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    setText("verdict-state", "The link is in the clipboard.");
  } catch {
    setText("verdict-state", `The link is ${location.href}`);
  }
}
