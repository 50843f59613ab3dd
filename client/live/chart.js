/** A line chart of what happens over time, with an upright line for each fault. It draws an hour in a few milliseconds. */

import { thinned } from "/client/live/thinning.js";
import { draw, keep, setText } from "/client/page/dom.js";
import { sixtieths } from "/client/page/format.js";
import { maximumTick, ticks, timeStep } from "/client/live/scale.js";

/** @typedef {import("/client/live/history.js").Rates} Rates */
/** @typedef {{ at: number, text: string }} Fault At a time in seconds. */
/** @typedef {{ key: "accepted" | "synchronized" | "lagMs" | "oldestMs", name: string, className: string }} Series */

const HEIGHT = 190;
const MARGIN = { top: 12, right: 6, bottom: 24, left: 68 };
/** A label of the time takes about so much room. */
const LABEL_WIDTH = 70;

export class Chart {
  /** @type {Rates[]} */
  #points = [];
  /** @type {Fault[]} */
  #faults = [];
  #width = 0;
  #isDue = false;
  #drawing = draw("g", { "aria-hidden": "true" });
  #hand = draw("line", { class: "hand", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
  /** Never taken out of the document: one of them may have the focus. */
  #marks = draw("g");

  /**
   * @param {HTMLElement} figure Has an `svg`, an element of class `reading` for what is under the pointer, and a `key` of faults.
   * @param {Series[]} series
   * @param {(value: number | null) => string} format
   */
  constructor(figure, series, format) {
    this.svg = /** @type {SVGSVGElement} */ (figure.querySelector("svg"));
    this.reading = /** @type {HTMLElement} */ (figure.querySelector(".reading"));
    this.key = /** @type {HTMLElement} */ (figure.querySelector(".key.broken"));
    this.series = series;
    this.format = format;
    this.svg.replaceChildren(this.#drawing, this.#hand, this.#marks);
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width)).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.#read(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.#read(null));
  }

  /** @param {Rates[]} points In order of time. @param {Fault[]} faults */
  show(points, faults) {
    this.#points = points;
    this.#faults = faults;
    this.#redraw();
  }

  /** @param {number} width */
  #resize(width) {
    this.#width = Math.round(width);
    this.#redraw();
  }

  /** Once for each frame of the browser at most, and never while nobody looks. */
  #redraw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    if (this.#width < MARGIN.left + 50) return; // not on the screen
    const top = maximumTick(Math.max(1, ...this.series.map(({ key }) => highestOf(this.#points, key))));
    this.svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", this.#summary());
    this.#showMarks();
    if (this.#points.length === 0) return this.#drawing.replaceChildren(this.#placeholder());
    this.#drawing.replaceChildren(...this.#levels(top), ...this.#times(), ...this.series.flatMap((each) => this.#line(each, top)));
  }

  /** An upright line for each fault of the time that is drawn. */
  #showMarks() {
    const shown = this.#faults.filter(({ at }) => at >= this.#start && at <= this.#start + this.#seconds && this.#points.length > 0);
    this.key.hidden = shown.length === 0;
    this.svg.setAttribute("role", shown.length ? "group" : "img");
    keep(this.#marks, shown, ({ at, text }) => `${at} ${text}`, () => this.#mark(), (mark, fault) => {
      const x = this.#x(fault.at);
      const label = `at ${clockOf(fault.at - this.#start)}: ${fault.text}`;
      for (const line of mark.children) for (const end of ["x1", "x2"]) line.setAttribute(end, String(x));
      mark.setAttribute("aria-label", label);
    });
  }

  #mark() {
    const ends = { y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom };
    const mark = draw("g", { class: "fault", role: "img", tabindex: 0 }, draw("line", { class: "reach", ...ends }), draw("line", ends));
    const say = () => setText(this.reading, mark.getAttribute("aria-label"));
    mark.addEventListener("focus", say);
    mark.addEventListener("blur", () => setText(this.reading, ""));
    mark.addEventListener("pointermove", (/** @type {Event} */ event) => {
      event.stopPropagation(); // the chart would say what its curves have there
      say();
    });
    return mark;
  }

  /** @param {number} top */
  #levels(top) {
    return ticks(top).flatMap((value) => {
      const y = this.#y(value, top);
      return [
        draw("line", { class: "level", x1: MARGIN.left, x2: this.#width - MARGIN.right, y1: y, y2: y }),
        draw("text", { class: "tick", x: MARGIN.left - 10, y: y + 4, "text-anchor": "end" }, this.format(value)),
      ];
    });
  }

  #placeholder() {
    return draw("text", { class: "tick", x: this.#width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, this.#summary());
  }

  #times() {
    const step = timeStep(this.#seconds, (this.#width - MARGIN.left) / LABEL_WIDTH);
    const labels = Array.from({ length: Math.floor(this.#seconds / step) + 1 }, (_, index) => index * step);
    return labels.map((seconds) => {
      const anchor = seconds === 0 ? "start" : this.#x(this.#start + seconds) > this.#width - 30 ? "end" : "middle";
      return draw("text", { class: "tick", x: this.#x(this.#start + seconds), y: HEIGHT - 4, "text-anchor": anchor }, clockOf(seconds));
    });
  }

  /** @param {Series} series @param {number} top */
  #line({ key, className }, top) {
    const bottom = this.#y(0, top);
    const x = (/** @type {Rates} */ point) => this.#x(point.at).toFixed(1);
    let [area, curve] = ["", ""];
    for (const stretch of stretchesOf(thinned(this.#points, key, this.#breadth / 2), key)) {
      const places = stretch.map((point) => `${x(point)} ${this.#y(point[key] ?? 0, top).toFixed(1)}`).join("L");
      area += `M${x(stretch[0])} ${bottom}L${places}V${bottom}Z`;
      curve += `M${places}${stretch.length === 1 ? "h0" : ""}`; // one alone is a dot
    }
    return [draw("path", { class: `area ${className}`, d: area }), draw("path", { class: `curve ${className}`, d: curve })];
  }

  /** Say what the lines have at the pointer's place. @param {number | null} x */
  #read(x) {
    const hand = this.#hand;
    const at = x === null ? null : this.#start + ((x - MARGIN.left) / this.#breadth) * this.#seconds;
    const point = at === null ? undefined : nearest(this.#points, at);
    hand.setAttribute("visibility", point ? "visible" : "hidden");
    setText(this.reading, point ? `at ${clockOf(point.at - this.#start)}: ${this.#values(point)}` : "");
    if (!point) return;
    hand.setAttribute("x1", String(this.#x(point.at)));
    hand.setAttribute("x2", String(this.#x(point.at)));
  }

  /** @param {Rates} point */
  #values(point) {
    return this.series.map(({ key, name }) => `${name} ${this.format(point[key])}`).join(", ");
  }

  #summary() {
    if (this.#points.length === 0) return "Nothing to draw yet.";
    const maxima = this.series.map(({ key, name }) => `${name} at most ${this.format(highestOf(this.#points, key))}`);
    return `Over ${clockOf(this.#seconds)}: ${maxima.join(", ")}.`;
  }

  get #start() {
    return this.#points[0]?.at ?? 0;
  }

  /** At least ten seconds, lest a run of one second looks like a cliff. */
  get #seconds() {
    return Math.max(10, (this.#points.at(-1)?.at ?? 0) - this.#start);
  }

  get #breadth() {
    return this.#width - MARGIN.left - MARGIN.right;
  }

  /** @param {number} at */
  #x(at) {
    return MARGIN.left + ((at - this.#start) / this.#seconds) * this.#breadth;
  }

  /** @param {number} value @param {number} top */
  #y(value, top) {
    return HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.bottom - MARGIN.top);
  }
}

/** @param {Rates[]} points @param {Series["key"]} key */
function highestOf(points, key) {
  return points.reduce((highest, point) => Math.max(highest, point[key] ?? 0), 0);
}

/** The points between those that have no value. @param {Rates[]} points @param {Series["key"]} key @returns {Rates[][]} */
function stretchesOf(points, key) {
  /** @type {Rates[][]} */
  const stretches = [[]];
  for (const point of points) {
    if (point[key] === null) stretches.push([]);
    else stretches[stretches.length - 1].push(point);
  }
  return stretches.filter((stretch) => stretch.length > 0);
}

/** @param {Rates[]} points @param {number} at */
function nearest(points, at) {
  return points.reduce((best, point) => (Math.abs(point.at - at) < Math.abs(best.at - at) ? point : best), points[0]);
}

/** @param {number} seconds @returns {string} Minutes and seconds. */
function clockOf(seconds) {
  return sixtieths(Math.max(0, Math.round(seconds)));
}
