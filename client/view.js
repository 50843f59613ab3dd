/** Shows a run. All that users and servers say goes in as text, never as markup. */

import * as format from "/client/format.js";
import { errorRows, instanceRows, showErrors, showInstances } from "/client/tables.js";
import { statusOf } from "/client/status.js";

/** @typedef {import("/client/run.js").Run} Run */
/** @typedef {import("/client/sources.js").SourceName} SourceName */

/** @param {Run} run */
export function showRun(run) {
  const { count, seed } = run.order;
  element("run").dataset.phase = run.phase;
  element("line").classList.toggle("moving", run.phase === "sending" || run.phase === "synchronizing");
  setText("status", statusOf(run));
  showLink(seed);
  showBar("accepted", run.accepted, count);
  showBar("synchronized", run.synchronized, count);
  showFigures(run);
  showInstances(instanceRows(run));
  showErrors(errorRows(run));
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

/** On a phone the bars are below the form: bring them into sight, unless they are. */
export function revealRun() {
  element("synchronized-bar").scrollIntoView({ block: "nearest" });
}

export function hideSourceNotice() {
  element("source-notice").hidden = true;
}

/** @param {Run} run */
function showFigures(run) {
  setText("time", format.seconds(run.totalMs));
  setText("accepted-rate", format.perSecond(run.accepted, run.sendingMs));
  setText("synchronized-rate", format.perSecond(run.synchronized, run.totalMs));
  setText("failed", format.count(run.errors.failed));
  element("failed").classList.toggle("wrong", run.errors.failed > 0);
}

/** @param {"accepted" | "synchronized"} name @param {number} value @param {number} max */
function showBar(name, value, max) {
  const bar = /** @type {HTMLProgressElement} */ (element(`${name}-bar`));
  bar.max = max;
  bar.value = value;
  setText(`${name}-count`, `${format.count(value)} of ${format.count(max)}`);
}

/** @param {string} seed */
function showLink(seed) {
  const link = /** @type {HTMLAnchorElement} */ (element("run-statistics"));
  link.href = `/api/v1/stats?seed=${encodeURIComponent(seed)}`;
  link.hidden = false;
  setText("run-statistics", seed);
}

/** Not the `disabled` attribute: the button that was just pressed would lose the keyboard's focus. @param {Run} run */
function showActions(run) {
  element("generate").setAttribute("aria-disabled", String(!run.isOver));
  element("cancel").setAttribute("aria-disabled", String(run.isOver));
  setText("cancel", run.cancelAsked || run.phase === "synchronizing" ? "Stop watching" : "Cancel");
}

/** @param {string} id @param {string} text */
function setText(id, text) {
  const node = element(id);
  if (node.textContent !== text) node.textContent = text;
}

/** @param {string} id @returns {HTMLElement} */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element "${id}"`);
  return found;
}
