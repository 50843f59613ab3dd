/** The tour of an hour: one step is open at a time, with what to do, what to look at, and what to take away. */

import { element, make } from "/client/page/dom.js";

/** @typedef {import("/client/tour/steps.js").Step} Step */

const SAID_MS = 2_000;

export class TourView {
  #isMade = false;

  async show() {
    if (this.#isMade) return;
    this.#isMade = true;
    const { STEPS } = await import("/client/tour/steps.js");
    element("tour-steps").append(...STEPS.map(stepOf));
  }

  leave() {}
}

/** @param {Step} step @param {number} at */
function stepOf({ title, minutes, open, parts, takeAway }, at) {
  const details = make(
    "details",
    { name: "tour", id: `tour-${at + 1}` },
    make("summary", {}, make("h2", {}, title), make("small", {}, `${minutes} minutes`)),
    open && make("p", {}, make("a", { href: open.address, class: "go" }, `Open ${open.name}`)),
    ...parts.map(({ text, command }) => (command ? commandOf(command) : make("p", {}, text))),
    make("p", { class: "take-away" }, make("strong", {}, "Take away: "), takeAway),
  );
  // The first one was how this page came to be here.
  details.open = at === 1;
  return make("li", {}, details);
}

/** @param {string} command */
function commandOf(command) {
  const button = make("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      // Without TLS, and on another host than this one, a browser gives no clipboard.
      button.textContent = "Copy it by hand";
    }
    setTimeout(() => (button.textContent = "Copy"), SAID_MS);
  });
  return make("div", { class: "command" }, make("pre", { tabindex: 0 }, command), button);
}
