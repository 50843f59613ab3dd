/** Two lanes on the same scales, so that they can be compared at a look: how many are where, and over time. */

import { maximumTick, ticks, timeStep } from "/client/live/scale.js";
import { draw, element, make, setText } from "/client/page/dom.js";
import { count, rate, sixtieths } from "/client/page/format.js";
import { drawingOf, missingOf } from "/client/race/words.js";

/** @typedef {import("/client/race/view.js").Race} Race */
/** @typedef {import("/client/race/view.js").Side} Side */
/** @typedef {{ x: (second: number) => number, y: (users: number) => number, seconds: number, top: number, width: number }} Scale */

const HEIGHT = 190;
const MARGIN = { top: 18, right: 8, bottom: 24, left: 52 };
const LABEL_WIDTH = 60;
const BARS = /** @type {const} */ ([
  ["acknowledged", "Acknowledged"],
  ["first", "In PostgreSQL"],
  ["second", "In MongoDB"],
]);

/** @param {Race} race */
export function drawLanes(race) {
  const lanes = element("race-lanes");
  if (lanes.children.length === 0) lanes.append(...race.sides.map(makeLane));
  race.sides.forEach((side, index) => drawLane(lanes.children[index], side, race));
}

/** @param {Side} _ @param {number} index */
function makeLane(_, index) {
  const bars = BARS.map(([key, name]) =>
    make("div", { class: `bar ${key}` }, make("label", { for: `lane-${index}-${key}` }, name), make("output", { for: `lane-${index}-${key}` }), make("progress", { id: `lane-${index}-${key}` })),
  );
  const legend = make("p", { class: "legend" }, make("span", { class: "key write" }, "acknowledged"), " ", make("span", { class: "key read" }, "in MongoDB"));
  return make("li", { class: "card lane" }, make("header", {}, make("h3"), make("p", { class: "missing" })), ...bars, make("p", { class: "hint speed" }), legend, draw("svg", { class: "chart", role: "img" }));
}

/** @param {Element} lane @param {Side} side @param {Race} race */
function drawLane(lane, side, race) {
  const at = (/** @type {string} */ selector) => /** @type {any} */ (lane.querySelector(selector));
  setText(at("h3"), side.name);
  setText(at(".missing"), missingOf(side));
  at(".missing").classList.toggle("wrong", Boolean(side.lost || side.doubled));
  for (const [key] of BARS) {
    setText(at(`.${key} output`), count(side[key]));
    Object.assign(at(`.${key} progress`), { max: race.users, value: side[key] });
  }
  setText(at(".speed"), side.seconds ? `${rate(side.perSecond)} into MongoDB, the last of them after ${count(side.seconds)} s` : "");
  at("svg").setAttribute("aria-label", drawingOf(side, race.faults));
  drawHistory(at("svg"), side, race);
}

/** @param {SVGSVGElement} svg @param {Side} side @param {Race} race */
function drawHistory(svg, side, race) {
  const width = Math.round(svg.getBoundingClientRect().width);
  if (width < MARGIN.left + 50) return; // not on the screen
  const scale = scaleOf(race, width);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(...levels(scale), ...times(scale), line(side, 1, "write", scale), line(side, 2, "read", scale), ...race.faults.flatMap((fault) => mark(fault, scale)));
}

/** The same for both. @param {Race} race @param {number} width @returns {Scale} */
function scaleOf(race, width) {
  const seconds = Math.max(10, ...race.sides.map(({ history }) => history.at(-1)?.[0] ?? 0));
  const top = maximumTick(race.users);
  return {
    x: (second) => MARGIN.left + (second / seconds) * (width - MARGIN.left - MARGIN.right),
    y: (users) => HEIGHT - MARGIN.bottom - (users / top) * (HEIGHT - MARGIN.bottom - MARGIN.top),
    ...{ seconds, top, width },
  };
}

/** @param {Scale} scale */
function levels({ y, top, width }) {
  return ticks(top).flatMap((value) => [
    draw("line", { class: "level", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
    draw("text", { class: "tick", x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, count(value)),
  ]);
}

/** @param {Scale} scale */
function times({ x, seconds, width }) {
  const step = timeStep(seconds, (width - MARGIN.left) / LABEL_WIDTH);
  const labels = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  return labels.map((second) => draw("text", { class: "tick", x: x(second), y: HEIGHT - 4, "text-anchor": x(second) > width - 30 ? "end" : "middle" }, sixtieths(second)));
}

/** @param {Side} side @param {1 | 2} column Of the history. @param {string} name @param {Scale} scale */
function line({ history }, column, name, { x, y }) {
  const places = history.map((point) => `${x(point[0]).toFixed(1)} ${y(point[column]).toFixed(1)}`);
  return draw("path", { class: `curve ${name}`, d: places.length ? `M${places.join("L")}` : "" });
}

/** @param {Race["faults"][0]} fault @param {Scale} scale */
function mark({ atSecond, text }, { x, width }) {
  const side = x(atSecond) > width - 60 ? "end" : "start";
  return [
    draw("line", { class: "struck", x1: x(atSecond), x2: x(atSecond), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }, draw("title", {}, text)),
    draw("text", { class: "tick", x: x(atSecond) + (side === "end" ? -4 : 4), y: MARGIN.top - 5, "text-anchor": side }, "killed"),
  ];
}
