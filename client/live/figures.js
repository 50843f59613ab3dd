/** Shows the lag, what is pending and refused, and one sentence on how far the run is. */

import { ratesNow } from "/client/live/history.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/history.js").Point} Point */

/**
 * @param {Sample} sample
 * @param {Point[]} history
 * @param {number} target How many users the run is to have; 0 where only another page knows.
 */
export function showFigures(sample, history, target) {
  setText("lag-now", format.milliseconds(sample.lagMs.now));
  setText("lag-p50", format.milliseconds(sample.lagMs.p50));
  setText("lag-p99", format.milliseconds(sample.lagMs.p99));
  setText("pending", format.count(sample.pending));
  setText("dead-letters", format.count(sample.deadLetters));
  element("dead-letters").classList.toggle("wrong", sample.deadLetters > 0);
  setText("eta", format.duration(secondsToGo(sample, history, target)));
  setText("progress", progress(sample, target));
}

/** @param {Sample} sample @param {Point[]} history @param {number} target @returns {number | null} Null when nobody can tell. */
function secondsToGo(sample, history, target) {
  const { stages, deadLetters } = sample;
  const missing = Math.max(target, stages.accepted) - deadLetters - stages.synchronized;
  const { synchronized } = ratesNow(history, sample);
  return missing > 0 && synchronized > 0 ? missing / synchronized : null;
}

/** @param {Sample} sample @param {number} target */
function progress({ stages, pending, deadLetters, oldestPendingSeconds }, target) {
  const { accepted, stored, synchronized } = stages;
  if (accepted === 0) return "Nothing has been sent yet.";
  if (Math.max(target, accepted) <= synchronized + deadLetters) return allDone(stored, deadLetters);
  const oldest = pending > 0 && (oldestPendingSeconds ?? 0) > 2 ? `; the oldest has waited ${format.duration(oldestPendingSeconds)}` : "";
  return `${format.count(synchronized)} of ${format.count(Math.max(target, accepted))} are in both databases${oldest}.`;
}

/** @param {number} stored @param {number} deadLetters */
function allDone(stored, deadLetters) {
  if (deadLetters === 0) return `All ${format.plural(stored, "user is", "users are")} in both databases.`;
  return `${format.count(stored - deadLetters)} of ${format.plural(stored, "user is", "users are")} in both databases; MongoDB refused ${format.count(deadLetters)}.`;
}
