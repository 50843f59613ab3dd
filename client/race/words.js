/** What is said of a race. */

import { count, duration } from "/client/page/format.js";

/** @typedef {import("/client/race/view.js").Race} Race */
/** @typedef {import("/client/race/view.js").Side} Side */

/** @param {Race} race */
export function isOver({ state }) {
  return state === "done" || state === "stopped" || state === "failed";
}

/** @param {Race} race @returns {string} Such as `The plain way and Tandem: 2,000 users, 200/s each`. */
export function titleOf({ sides, users, rate }) {
  return `${sides[1].name} and Tandem: ${count(users)} users, ${rate === null ? "as fast as each can" : `${count(rate)} a second for each`}`;
}

/** One sentence on where it stands. It changes with the state, not with the counts: a screen reader says it aloud. @param {Race} race */
export function progressOf({ state, reason, fault, faults, sides }) {
  const other = sides[1].name;
  const struck = faults.at(-1)?.text;
  switch (state) {
    case "preparing":
      return `${other} is starting, on empty stores…`;
    case "sending":
      if (struck) return `${struck}. Whoever got no answer is sent again…`;
      return fault ? "Both get the same users. They are killed in the middle…" : "Both get the same users…";
    case "settling":
      return "All is sent. Waiting until nothing more arrives in MongoDB…";
    case "done":
      return "Done: both stores of each were compared with what was acknowledged.";
    case "stopped":
      return `Stopped. ${other} is ended and its stores are emptied. What Tandem has acknowledged stays.`;
    case "failed":
      return `It came to no end. ${reason} Begin another one.`;
  }
}

/** @param {Side} side @returns {string} What is in danger, or what is lost. */
export function missingOf({ acknowledged, second, lost, doubled }) {
  if (lost === null) return acknowledged > second ? `${count(acknowledged - second)} on the way` : "";
  const twice = doubled ? `, ${count(doubled)} twice` : "";
  return `${lost ? count(lost) : "None"} lost${twice}`;
}

/** What the drawing shows, for who cannot see it. @param {Side} side @param {Race["faults"]} faults */
export function drawingOf({ acknowledged, second, history }, faults) {
  const until = history.at(-1)?.[0] ?? 0;
  if (until === 0) return "Nothing to draw yet.";
  const struck = faults.map(({ atSecond }) => ` Killed after ${duration(atSecond)}.`).join("");
  return `Over ${duration(until)}: ${count(acknowledged)} acknowledged, ${count(second)} in MongoDB.${struck}`;
}
