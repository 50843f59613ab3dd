/** “Break something”: a button for each fault, those that are made of several, and what goes on just now. */

import { lookAgain, talk } from "/client/break/desk.js";
import { element, keep, make, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { RequestError } from "/client/page/http.js";

/** @typedef {import("/client/break/desk.js").Lab} Lab */
/** @typedef {import("/client/break/desk.js").Fault} Fault */
/** @typedef {import("/client/break/desk.js").Preset} Preset */
/** @typedef {import("/client/break/desk.js").Struck} Struck */

const SHOWN = 6;
const USUAL_SECONDS = 7;
const NEEDED = "To break something here takes an access token with the right “operator”. Enter it under Access.";

/** @param {Lab | null} lab Null where the desk wants a better token. @param {() => string} seedOf The run that is on the screen. */
export function showPanel(lab, seedOf) {
  element("break").hidden = false;
  element("break-tools").hidden = lab === null;
  if (lab === null) return setText("break-said", NEEDED);
  if (element("break-said").textContent === NEEDED) setText("break-said", "");
  const { faults, presets, struck, limits } = lab;
  keep(element("presets"), presets, ({ name }) => name, (preset) => makePreset(preset, seedOf), () => {});
  keep(element("faults"), faults, ({ name, targets }) => `${name} ${targets}`, (fault) => makeFault(fault, limits.seconds, seedOf), () => {});
  showStruck(struck);
}

/** @param {Preset} preset @param {() => string} seedOf */
function makePreset({ name, title, what }, seedOf) {
  return make("li", {}, button(title, `preset-${name}`, () => strike(`/lab/presets/${name}`, { seed: seedOf() })), hint(`preset-${name}`, what));
}

/** @param {Fault} fault @param {number} longest Seconds. @param {() => string} seedOf */
function makeFault({ name, title, what, targets, hasSeconds }, longest, seedOf) {
  const options = targets.map((target) => make("option", { value: target }, target));
  const target = targets.length > 1 && make("select", { "aria-label": `${title}: which` }, make("option", { value: "" }, "any"), ...options);
  const seconds = hasSeconds && make("input", { type: "number", inputmode: "numeric", min: 1, max: longest, value: USUAL_SECONDS, "aria-label": `${title}: for how many seconds, 1 to ${longest}` });
  const act = () => strike("/lab/faults", { fault: name, target: (target && target.value) || null, ...(seconds && { seconds: Number(seconds.value) }), seed: seedOf() });
  const how = make("span", { class: "how" }, target, seconds, seconds && "s");
  return make("li", {}, button(title, `fault-${name}`, act), how, hint(`fault-${name}`, what));
}

/** @param {string} title @param {string} name @param {() => void} act */
function button(title, name, act) {
  const made = make("button", { type: "button", class: "quiet", "aria-describedby": `${name}-what` }, title);
  made.addEventListener("click", act);
  return made;
}

/** @param {string} name @param {string} what */
function hint(name, what) {
  return make("p", { class: "hint", id: `${name}-what` }, what);
}

/** @param {string} path @param {object} wanted */
async function strike(path, wanted) {
  try {
    setText("break-said", "");
    await talk("POST", path, wanted);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    setText("break-said", error.sentence);
  }
  lookAgain();
}

/** @param {Struck[]} struck Newest last. */
function showStruck(struck) {
  element("struck-title").hidden = struck.length === 0;
  keep(element("struck"), struck.slice(-SHOWN).reverse(), ({ id }) => String(id), () => make("li", {}, make("span"), " ", make("b", { class: "pill" })), (item, one) => {
    setText(item.children[0], format.sentence(one.text));
    setText(item.children[1], stateOf(one));
    item.children[1].dataset.state = { "going on": "silent", over: "ready", failed: "gone" }[one.state];
  });
}

/** @param {Struck} struck */
function stateOf({ state, beganAt, endedAt }) {
  if (state === "going on") return `going on since ${format.timeOfDay(beganAt).slice(0, 8)}`;
  const seconds = (Date.parse(endedAt ?? beganAt) - Date.parse(beganAt)) / 1000;
  return state === "over" ? `well again after ${format.duration(seconds)}` : `not well after ${format.duration(seconds)}`;
}
