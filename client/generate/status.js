/** One sentence on where a run stands. It changes with the phase, not with the counts: a screen reader says it aloud. */

import { count, plural } from "/client/page/format.js";

/** @typedef {import("/client/generate/run.js").Run} Run */

/** @param {Run} run @returns {string} */
export function statusOf(run) {
  switch (run.phase) {
    case "fetching":
      return `Getting users from ${run.order.source === "built-in" ? "the built-in generator" : run.order.source}…`;
    case "sending":
      return sending(run);
    case "synchronizing":
      return "All is sent. Waiting for the last users to be synchronized…";
    case "done":
      return done(run);
    case "cancelled":
      return `Cancelled. ${remainder(run)}`;
    case "failed":
      return run.sourceError && run.accepted === 0 ? "No users to send." : `Stopped. ${run.failure}. ${remainder(run)}`;
  }
}

/** @param {Run} run */
function sending({ cancelAsked, pace, order }) {
  if (cancelAsked) return "Cancelling: waiting for the last answers…";
  if (pace.isPaused) return "Paused. What was accepted goes on to MongoDB.";
  return `Sending one POST per user, ${order.concurrency === 1 ? "one" : order.concurrency} at a time…`;
}

/** @param {Run} run */
function done({ accepted, synchronized, refused, errors }) {
  if (accepted === 0) return "Done: no user was accepted. See the errors below.";
  const sentences = [`Done: ${plural(synchronized, "user is", "users are")} in both databases.`];
  if (refused) sentences.push(`${plural(refused, "user was", "users were")} refused by MongoDB.`);
  if (errors.failed) sentences.push(`${plural(errors.failed, "user was", "users were")} given up.`);
  return sentences.join(" ");
}

/** @param {Run} run */
function remainder({ accepted, synchronized, refused, order }) {
  const sentence = `${count(accepted)} of ${plural(order.count, "user was", "users were")} accepted`;
  if (accepted === 0) return `${sentence}.`;
  if (accepted === synchronized) return `${sentence}, and all of them are synchronized.`;
  if (accepted <= synchronized + refused) {
    return `${sentence}: ${count(synchronized)} are synchronized, ${count(refused)} were refused by MongoDB.`;
  }
  return `${sentence}; ${count(synchronized)} of them were seen synchronized, the rest will follow.`;
}
