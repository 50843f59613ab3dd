/** One sentence on where a run stands. It changes with the phase, not with the counts: a screen reader says it aloud. */

import { count, plural, sentence } from "/client/page/format.js";

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
      return run.sent.sourceError && run.accepted === 0 ? "No users to send." : `Stopped. ${sentence(run.failure ?? "")} ${remainder(run)}`;
  }
}

/** @param {Run} run */
function sending({ cancelAsked, isPaused, order }) {
  if (cancelAsked) return "Cancelling: waiting for the last answers…";
  if (isPaused) return "Paused. What was accepted goes on to MongoDB.";
  return `Sending one POST per user, ${order.concurrency === 1 ? "one" : order.concurrency} at a time…`;
}

/** @param {Run} run */
function done({ accepted, created, synchronized, refused, sent: { already, failed } }) {
  if (accepted === 0) return "Done: no user was accepted. See the errors below.";
  const sentences = [created === 0 ? "Done: nobody was created." : `Done: ${plural(synchronized, "user is", "users are")} in both databases.`];
  if (already) sentences.push(`${plural(already, "user was", "users were")} there before, and nobody is created twice.`);
  if (refused) sentences.push(`${plural(refused, "user was", "users were")} refused by MongoDB.`);
  if (failed) sentences.push(`${plural(failed, "user was", "users were")} given up.`);
  return sentences.join(" ");
}

/** @param {Run} run */
function remainder({ accepted, created, synchronized, refused, order, sent: { already } }) {
  const earlier = already ? `, ${count(already)} of them by an earlier run` : "";
  const start = `${count(accepted)} of ${plural(order.count, "user was", "users were")} accepted${earlier}`;
  if (created === 0) return `${start}.`;
  const them = already ? "of the new ones" : "of them";
  if (created === synchronized) return `${start}, and all ${them} are synchronized.`;
  if (created <= synchronized + refused) {
    return `${start}; ${count(synchronized)} ${them} ${synchronized === 1 ? "is" : "are"} synchronized, and MongoDB refused ${count(refused)}.`;
  }
  return `${start}; ${count(synchronized)} ${them} ${synchronized === 1 ? "was" : "were"} seen synchronized, the rest will follow.`;
}
