/** Shows the lag, what is pending and refused, and when it is done. */

import { ratesNow } from "/client/live/history.js";
import { isKnown, isStalled } from "/client/live/progress.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/history.js").Point} Point */
/** @typedef {import("/client/generate/controls.js").Expectation} Expectation */

/**
 * @param {Sample} sample
 * @param {Point[]} history
 * @param {Expectation} expectation
 * @param {boolean} isCurrent Whether the sample says how things are, and not how they were.
 */
export function showFigures(sample, history, expectation, isCurrent) {
  setText("lag-now", isCurrent || sample.pending === 0 ? lagNow(sample) : "not known");
  setText("lag-p50", format.milliseconds(sample.lagMs.p50));
  setText("lag-p99", format.milliseconds(sample.lagMs.p99));
  setText("pending", format.count(isKnown(sample) ? sample.pending : null));
  setText("dead-letters", format.count(isKnown(sample) ? sample.deadLetters : null));
  element("dead-letters").classList.toggle("wrong", sample.deadLetters > 0);
  setText("eta", doneIn(sample, history, expectation, isCurrent));
}

/** How long the user has waited that has waited for longest. @param {Sample} sample */
function lagNow({ stages, pending, oldestPendingSeconds, oldestPendingOfAllSeconds }) {
  if (stages.stored === 0) return format.DASH;
  if (pending === 0) return "none";
  if (oldestPendingSeconds !== null) return format.milliseconds(oldestPendingSeconds * 1000);
  return oldestPendingOfAllSeconds === null ? format.DASH : `< ${format.milliseconds(oldestPendingOfAllSeconds * 1000)}`;
}

/** @param {Sample} sample @param {Point[]} history @param {Expectation} expectation @param {boolean} isCurrent */
function doneIn(sample, history, { users, isSending }, isCurrent) {
  if (isStalled(sample, history)) return "stalled";
  if (!isCurrent || sample.databases.mongodb === "down") return format.DASH;
  const { stages, deadLetters } = sample;
  const missing = (isSending ? Math.max(users, stages.accepted) : stages.accepted) - deadLetters - stages.synchronized;
  const { synchronized } = ratesNow(history, sample);
  return missing > 0 && synchronized > 0 ? format.duration(missing / synchronized) : format.DASH;
}
