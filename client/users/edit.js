/** The form that changes a user. It is about the version that it began with, until somebody asks it to go on from a later one. */

import { element, onClick, setText } from "/client/page/dom.js";
import { plural, sentence } from "/client/page/format.js";
import { Sender } from "/client/users/commands.js";
import { fillIn, inputOf, lock, makeFields, sayBeside, typedTexts } from "/client/users/fields.js";
import { FIELDS, changedFields, fieldAt, patchOf, rebased, textsOf } from "/client/users/patch.js";
import { rowsUrl } from "/client/users/side.js";

/** @typedef {{ id: string, version: number, texts: import("/client/users/patch.js").Texts }} Base What the form began with. */
/**
 * @typedef {object} Around
 * @property {(id: string, version: number) => void} saved
 * @property {() => Promise<any>} latest The user as PostgreSQL has it now; null where it does not say.
 * @property {() => void} closed
 */

export class Edit {
  /** @type {Base | null} Null while it is closed. */
  #base = null;
  #sender = new Sender();
  #isUncertain = false;
  #around;
  #noticed = () => {};

  /** @param {Around} around */
  constructor(around) {
    this.#around = around;
    makeFields();
    element("edit").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#save();
    });
    element("edit").addEventListener("input", (/** @type {Event} */ { target }) => {
      for (const field of FIELDS) if (inputOf(field) === target && inputOf(field).ariaInvalid) sayBeside(field, "");
      this.#countChanges();
    });
    onClick("edit-cancel", () => {
      this.close();
      element("edit-open").focus();
    });
    onClick("edit-notice-do", () => this.#noticed());
  }

  get isOpen() {
    return this.#base !== null;
  }

  /** @param {string} id @param {any} user What PostgreSQL has of it. */
  open(id, user) {
    this.#begin(id, user, textsOf(user));
    element("edit").hidden = false;
    inputOf(FIELDS[0]).focus();
  }

  /** What was typed is gone. */
  close() {
    if (!this.#base) return;
    this.#base = null;
    element("edit").hidden = true;
    this.#around.closed();
  }

  /** @param {string} id @param {any} user @param {import("/client/users/patch.js").Texts} texts What the form shows. */
  #begin(id, user, texts) {
    this.#base = { id, version: user.version, texts: textsOf(user) };
    this.#isUncertain = false;
    setText("edit-words", `You change version ${user.version}. Only what you change is sent, just as you type it; what you empty is removed.`);
    fillIn(texts);
    this.#countChanges();
    this.#notice("");
    this.#say("");
  }

  async #save() {
    const base = this.#base;
    if (!base || this.#sender.isSending) return;
    const patch = patchOf(base.texts, typedTexts());
    if (Object.keys(patch).length === 0) return this.#say("You have changed nothing, so nothing was sent.");
    this.#say("Saving…");
    lock(true);
    const outcome = await this.#sender.send({ method: "PATCH", url: rowsUrl(base.id), json: patch, expected: base.version });
    lock(false);
    if (outcome.state === "done") return this.#around.saved(base.id, outcome.version);
    if (this.#base !== base) return;
    this.#say("");
    if (outcome.state === "conflict") this.#offerToGoOn(base, outcome.version);
    else if (outcome.state === "gone") this.#offerToLeave();
    else if (outcome.state === "invalid") this.#complain(outcome);
    else {
      this.#isUncertain ||= outcome.isUncertain;
      this.#say(outcome.sentence, true);
    }
  }

  /** @param {Base} base @param {number} version */
  #offerToGoOn(base, version) {
    const whose = this.#isUncertain ? ", perhaps by your own save that was not answered" : "";
    const what = `This user was changed meanwhile${whose}: it has version ${version} now, and you began with version ${base.version}.`;
    this.#notice(`${what} Nothing was saved, and what you typed is still here.`, `Load version ${version} and keep what I typed`, () => this.#goOn(base));
  }

  #offerToLeave() {
    this.#notice("This user was deleted meanwhile, so nothing was saved. What you typed is still here, to be copied elsewhere.", "Close and look at what is left", () => {
      this.close();
      this.#around.latest();
    });
  }

  /** Beside the fields that the server names, and the cursor into the first of them. @param {{ places: import("/client/users/commands.js").Place[], sentence: string }} problem */
  #complain({ places, sentence: whole }) {
    const named = places.map(({ pointer, detail }) => ({ field: fieldAt(pointer), detail }));
    for (const { field, detail } of named) if (field) sayBeside(field, sentence(`This ${detail}`), true);
    const first = named.find(({ field }) => field)?.field;
    if (first) inputOf(first).focus();
    this.#say(first ? "Nothing was saved: the server does not take what is marked." : `Nothing was saved. ${whole}`, true);
  }

  /** Load what is there now, and put what was typed over it. @param {Base} base */
  async #goOn(base) {
    this.#say("Loading…");
    const user = await this.#around.latest();
    if (this.#base !== base) return;
    if (!user) return this.#say("The later version could not be read. Try again in a moment; what you typed is still here.", true);
    const theirs = textsOf(user);
    const { texts, clashes } = rebased(base.texts, typedTexts(), theirs);
    this.#begin(base.id, user, texts);
    for (const field of clashes) sayBeside(field, `Version ${user.version} has ${theirs[field.name] ? `“${theirs[field.name]}”` : "nothing"} here.`);
    this.#say(`Version ${user.version} is loaded, and what you typed stands over it. Look at it, then save.`);
    inputOf(clashes[0] ?? changedFields(theirs, texts)[0] ?? FIELDS[0]).focus();
  }

  #countChanges() {
    const changes = this.#base ? changedFields(this.#base.texts, typedTexts()).length : 0;
    setText("edit-save", changes === 0 ? "Save" : `Save ${plural(changes, "change", "changes")}`);
  }

  /** @param {string} words @param {boolean} [isWrong] */
  #say(words, isWrong = false) {
    element("edit-said").classList.toggle("wrong", isWrong);
    setText("edit-said", words);
  }

  /** @param {string} text Empty for none. @param {string} [label] @param {() => void} [act] */
  #notice(text, label = "", act = () => {}) {
    element("edit-notice").hidden = text === "";
    setText("edit-notice-text", text);
    setText("edit-notice-do", label);
    this.#noticed = act;
  }
}
