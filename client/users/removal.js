/** Deleting a user, and, as a graver step, erasing it. Each is asked about first, and is about the version that was looked at. */

import { element, onClick, setText } from "/client/page/dom.js";
import { plural } from "/client/page/format.js";
import { Sender } from "/client/users/commands.js";
import { rowsUrl } from "/client/users/side.js";

/** @typedef {{ id: string, name: string, version: number }} Looked Who was looked at; `name` is how the title calls it. */
/**
 * @typedef {object} Around
 * @property {(id: string, what: string, version: number) => void} done
 * @property {() => void} reload
 */

export class Removal {
  /** @type {Looked} */
  #looked = { id: "", name: "", version: 0 };
  #erases = false;
  #sender = new Sender();
  #dialog = element("removal");
  #around;

  /** @param {Around} around */
  constructor(around) {
    this.#around = around;
    onClick("removal-do", () => this.#act());
    onClick("removal-keep", () => this.close());
    onClick("removal-again", () => {
      this.close();
      around.reload();
    });
    onClick("erase-instead", () => {
      this.#ask(true);
      element("erase-sure").focus();
    });
  }

  /** @param {Looked} looked @param {boolean} isDeleted Then it can still be erased. */
  open(looked, isDeleted) {
    this.#looked = looked;
    this.#ask(isDeleted);
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /** @param {boolean} erases */
  #ask(erases) {
    const { id, name, version } = this.#looked;
    this.#erases = erases;
    setText("removal-title", erases ? `Erase ${name} for good?` : `Delete ${name}?`);
    setText("removal-do", erases ? "Erase for good" : "Delete");
    element("removal-do").className = erases ? "danger" : "primary";
    element("deletion").hidden = erases;
    element("erasure").hidden = !erases;
    element("erase-sure").checked = false;
    setText("erase-versions", version === 1 ? "its version" : `all ${plural(version, "version", "versions")}`);
    setText("erase-id", id);
    this.#say("");
  }

  async #act() {
    if (this.#sender.isSending) return;
    if (this.#erases && !element("erase-sure").checked) {
      this.#say("Tick the box first.");
      return element("erase-sure").focus();
    }
    const looked = this.#looked;
    this.#say("Sending…");
    const url = rowsUrl(looked.id) + (this.#erases ? "?erase=true" : "");
    const outcome = await this.#sender.send({ method: "DELETE", url, expected: looked.version });
    if (outcome.state === "done") {
      this.close();
      this.#around.done(looked.id, url.includes("?") ? "Erased" : "Deleted", outcome.version);
    } else if (this.#looked !== looked) return;
    else if (outcome.state === "conflict") {
      this.#say(`It was changed meanwhile: it has version ${outcome.version} now, and you have looked at version ${looked.version}. Nothing was deleted. Look at it before you decide again.`, true);
    } else if (outcome.state === "gone") this.#say("It was deleted meanwhile.", true);
    else this.#say(outcome.sentence);
  }

  /** @param {string} words @param {boolean} [isToLookAgain] Deciding again needs another look. */
  #say(words, isToLookAgain = false) {
    setText("removal-state", words);
    element("removal-again").hidden = !isToLookAgain;
    element("removal-do").hidden = isToLookAgain;
    if (isToLookAgain) element("removal-again").focus();
  }
}
