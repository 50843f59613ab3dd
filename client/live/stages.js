/** Shows the four stages: how many users have reached each, how fast, and how many are on their way to it. */

import { ratesNow } from "/client/live/history.js";
import { isKnown } from "/client/live/progress.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/history.js").Point} Point */

const STAGES = /** @type {const} */ (["accepted", "stored", "projected", "synchronized"]);
const DATABASES = /** @type {const} */ (["postgresql", "mongodb"]);

/**
 * @param {Sample} sample
 * @param {Point[]} history
 * @param {boolean} canMove False where the sample is old, and where the run is over.
 */
export function showStages(sample, history, canMove) {
  const rates = ratesNow(history, sample);
  STAGES.forEach((stage, at) => {
    const isMoving = canMove && rates[stage] > 0 && (at < 2 || sample.databases.mongodb === "up");
    setText(`${stage}-count`, format.count(isKnown(sample) ? sample.stages[stage] : null));
    setText(`${stage}-rate`, isMoving ? format.rate(rates[stage]) : "");
    if (at > 0) showTrack(at, isMoving, sample);
  });
  DATABASES.forEach((name) => showDatabase(name, sample.databases[name]));
}

/** The way to a stage: a user travels there while some do. @param {number} at @param {boolean} isMoving @param {Sample} sample */
function showTrack(at, isMoving, { stages, deadLetters }) {
  const stage = STAGES[at];
  const users = stages[STAGES[at - 1]] - stages[stage] - (stage === "projected" ? deadLetters : 0);
  setText(`${stage}-gap`, users > 0 ? `${format.count(users)}\non the way` : "");
  element("line").children[at - 1].classList.toggle("moving", isMoving);
}

/** @param {string} name @param {"up" | "down"} state */
function showDatabase(name, state) {
  const shown = element(`${name}-state`);
  shown.dataset.state = state;
  shown.closest(".station").dataset.state = state;
  setText(shown, state);
}
