/** Shows the four stages: how many users have reached each, how fast, and how many are on their way to it. */

import { ratesNow } from "/client/live/history.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/history.js").Point} Point */

const STAGES = /** @type {const} */ (["accepted", "stored", "projected", "synchronized"]);
const DATABASES = /** @type {const} */ (["postgresql", "mongodb"]);

/**
 * @param {Sample} sample
 * @param {Point[]} history
 */
export function showStages(sample, history) {
  const rates = ratesNow(history, sample);
  STAGES.forEach((stage, at) => {
    setText(`${stage}-count`, format.count(sample.stages[stage]));
    setText(`${stage}-rate`, rates[stage] > 0 ? format.rate(rates[stage]) : "");
    if (at > 0) showGap(stage, sample.stages[STAGES[at - 1]] - sample.stages[stage] - (stage === "projected" ? sample.deadLetters : 0));
  });
  element("line").classList.toggle("moving", rates.accepted > 0 || rates.synchronized > 0);
  DATABASES.forEach((name) => showDatabase(name, sample.databases[name]));
}

/** @param {string} stage @param {number} users On their way to it. */
function showGap(stage, users) {
  setText(`${stage}-gap`, users > 0 ? `${format.count(users)} on the way` : "");
}

/** @param {string} name @param {"up" | "down"} state */
function showDatabase(name, state) {
  const shown = element(`${name}-state`);
  shown.dataset.state = state;
  setText(shown, state);
}
