/** Shows how far this page is with sending: a bar, a sentence, errors, and what can be pressed. */

import { statusOf } from "/client/generate/status.js";
import { element, keep, make, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/generate/run.js").Run | import("/client/generate/server_run.js").ServerRun} Run Whoever sends. */
/** @typedef {import("/client/generate/run.js").Order} Order */
/** @typedef {import("/client/generate/sources.js").SourceName} SourceName */

/** @param {Run} run */
export function showRun(run) {
  element("run").dataset.phase = run.phase === "sending" && run.isPaused ? "paused" : run.phase;
  element("run").hidden = false;
  setText("status", "status" in run ? run.status : statusOf(run));
  showBar(run);
  showErrors(run);
  showActions(run);
}

/**
 * Say that a source gave no users and, if there is another, offer it.
 *
 * @param {string} text
 * @param {SourceName | null} other
 */
export function showSourceNotice(text, other) {
  setText("source-notice-text", text);
  setText("use-other-source", other === "built-in" ? "Use the built-in generator" : `Use ${other}`);
  element("use-other-source").hidden = other === null;
  element("source-notice").hidden = false;
  element("source-notice").scrollIntoView({ block: "nearest" });
}

/** Offer to send what is missing of this order. @param {Order | null} order Null where there is nothing to offer. */
export function showOffer(order) {
  element("resume-offer").hidden = order === null;
  if (order) setText("resume-text", `${format.plural(order.count, "user was", "users were")} wanted, and this page stopped before all were sent. Whoever is there already is not created again.`);
}

export function hideSourceNotice() {
  element("source-notice").hidden = true;
}

/** @param {Run} run */
function showBar({ accepted, sent, order }) {
  const bar = element("sent-bar");
  bar.max = order.count;
  bar.value = accepted;
  setText("sent-count", `${format.count(accepted)} of ${format.count(order.count)}`);
  setText("failed", sent.failed ? `${format.count(sent.failed)} given up` : "");
}

/** @param {Run} run */
function showErrors({ sent, refused }) {
  const groups = sent.errors.map(({ kind, retried, failed }) => ({ kind, outcome: outcome(retried, failed) }));
  if (refused) groups.push({ kind: "Refused by MongoDB (“tandem dead-letters list” says why)", outcome: `${format.count(refused)} set aside` });
  element("errors-title").hidden = groups.length === 0;
  keep(element("errors"), groups, ({ kind }) => kind, () => make("li", {}, make("span"), make("b")), (item, group) => {
    setText(item.children[0], group.kind);
    setText(item.children[1], group.outcome);
  });
}

/** @param {number} retried @param {number} failed */
function outcome(retried, failed) {
  const parts = [retried && `${format.count(retried)} sent again`, failed && `${format.count(failed)} given up`];
  return parts.filter(Boolean).join(", ");
}

/** Not the `disabled` attribute: the button that was just pressed would lose the keyboard's focus. @param {Run} run */
function showActions(run) {
  const isServer = "status" in run;
  const canPause = !isServer && (run.phase === "sending" || run.phase === "fetching") && !run.cancelAsked;
  setEnabled("generate", run.isOver);
  setEnabled("pause", canPause);
  setEnabled("cancel", !run.isOver);
  setText("pause", run.isPaused && canPause ? "Resume" : "Pause");
  setText("cancel", !run.isOver && (run.cancelAsked || run.phase === "synchronizing") ? "Stop waiting" : isServer ? "Stop" : "Cancel");
}

/** @param {string} button @param {boolean} isEnabled */
function setEnabled(button, isEnabled) {
  element(button).setAttribute("aria-disabled", String(!isEnabled));
}
