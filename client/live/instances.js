/** Shows each instance: how far its own users are, what it has in flight, and whether it lives. */

import { addressOf } from "/client/page/address.js";
import { element, keep, make, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { aggregate, counted, kind } from "/client/page/kinds.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/feed.js").Instance} Instance */

/** An instance that was started again has the same name, and another life; two cells may have one name. @param {Instance} instance */
function lifeOf({ appId, incarnation, cell }) {
  return `${cell ?? ""} ${appId} ${incarnation}`;
}

const byName = new Intl.Collator("en", { numeric: true }).compare;

/**
 * @param {Sample} sample
 * @param {boolean} isCurrent Whether it says how the instances are, and not how they were.
 * @param {boolean} canMove False also where the run is over: what they then had in flight is a second old.
 */
export function showInstances({ seed, instances, stages }, isCurrent, canMove) {
  const sorted = [...instances].sort((one, other) => (one.cell ?? 0) - (other.cell ?? 0) || byName(one.appId, other.appId) || (one.incarnation ?? 0) - (other.incarnation ?? 0));
  keep(element("instances"), sorted, lifeOf, makeInstance, (item, instance) => showInstance(item, instance, seed, stages.stored, isCurrent, canMove));
}

function makeInstance() {
  return make(
    "li",
    { class: "instance" },
    make("p", { class: "who" }, make("b"), " ", make("span", { class: "pill" })),
    make("div", { class: "share", "aria-hidden": "true" }, make("span", { class: "done" }), make("span", { class: "waiting" })),
    make("p", { class: "numbers" }),
    make("p", { class: "over" }, make("span"), " ", make("a", {}, "Look at them")),
  );
}

/** @param {HTMLElement} item @param {Instance} instance @param {string} seed @param {number} stored Users of the run, of all instances. @param {boolean} isCurrent @param {boolean} canMove */
function showInstance(item, instance, seed, stored, isCurrent, canMove) {
  const [who, share, numbers, over] = /** @type {HTMLElement[]} */ ([...item.children]);
  item.dataset.state = isCurrent ? instance.state : "unknown";
  setText(who.children[0], instance.cell === undefined ? instance.appId : `${instance.appId}, cell ${instance.cell}`);
  setText(who.children[1], isCurrent ? stateOf(instance) : "not known");
  /** @type {HTMLElement} */ (who.children[1]).dataset.state = item.dataset.state;
  setWidth(share.children[0], instance.synchronized / instance.total);
  setWidth(share.children[1], instance.pending / instance.total);
  setText(numbers, numbersOf(instance, stored, canMove));
  const told = takeovers(instance);
  over.hidden = told === "";
  setText(over.children[0], told);
  const rescued = addressOf("runs", { seed, aggregate: aggregate(), show: "rescued" });
  if (over.children[1].getAttribute("href") !== rescued) over.children[1].setAttribute("href", rescued);
}

/** @param {Instance} instance */
function stateOf({ state, silentSeconds }) {
  return state === "silent" && silentSeconds ? `silent for ${format.duration(silentSeconds)}` : state;
}

/** @param {Instance} instance @param {number} stored @param {boolean} canMove */
function numbersOf({ total, pending, queue }, stored, canMove) {
  const parts = [`${counted(total)}${stored ? `, ${Math.round((total / stored) * 100)} % of the run` : ""}`];
  if (pending > 0) parts.push(`${format.count(pending)} pending`);
  if (queue > 0 && canMove) parts.push(`${format.count(queue)} in flight`);
  return parts.join(" · ");
}

/** Both ways: whose users it took, and how many of its own others had to finish. @param {Instance} instance */
function takeovers({ takenOver, tookOverFrom }) {
  const from = Object.entries(tookOverFrom ?? {}).filter(([, users]) => users > 0);
  const sentences = from.map(([name, users]) => `Took over ${counted(users)} of ${name}.`);
  if (takenOver > 0) sentences.push(`${format.count(takenOver)} of its ${kind().plural} ${takenOver === 1 ? "was" : "were"} finished by another instance.`);
  return sentences.join(" ");
}

/** @param {Element} bar @param {number} share */
function setWidth(bar, share) {
  /** @type {HTMLElement} */ (bar).style.width = `${Number.isFinite(share) ? share * 100 : 0}%`;
}
