/** A line chart of what happens over time. Drawn anew once a second at most, from 600 points at most. */

import { draw, setText } from "/client/page/dom.js";
import { sixtieths } from "/client/page/format.js";
import { maximumTick, ticks, timeStep } from "/client/live/scale.js";

/** @typedef {import("/client/live/history.js").Rates} Rates */
/** @typedef {{ key: "accepted" | "synchronized" | "lagMs" | "oldestMs", name: string, className: string }} Series */

const HEIGHT = 190;
const MARGIN = { top: 12, right: 6, bottom: 24, left: 68 };
/** A label of the time takes about so much room. */
const LABEL_WIDTH = 70;

export class Chart {
  /** @type {Rates[]} */
  #points = [];
  #width = 0;

  /**
   * @param {HTMLElement} figure Has an `svg`, and an element of class `reading` for what is under the pointer.
   * @param {Series[]} series
   * @param {(value: number | null) => string} format
   */
  constructor(figure, series, format) {
    this.svg = /** @type {SVGSVGElement} */ (figure.querySelector("svg"));
    this.reading = /** @type {HTMLElement} */ (figure.querySelector(".reading"));
    this.series = series;
    this.format = format;
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width)).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.#read(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.#read(null));
  }

  /** @param {Rates[]} points In order of time. */
  show(points) {
    this.#points = points;
    this.#draw();
  }

  /** @param {number} width */
  #resize(width) {
    this.#width = Math.round(width);
    this.#draw();
  }

  #draw() {
    if (this.#width < MARGIN.left + 50) return; // not on the screen
    const highest = Math.max(...this.#points.flatMap((point) => this.series.map(({ key }) => point[key] ?? 0)), 1);
    const top = maximumTick(highest);
    this.svg.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", this.#summary());
    if (this.#points.length === 0) return this.svg.replaceChildren(this.#placeholder());
    this.svg.replaceChildren(...this.#levels(top), ...this.#times(), ...this.series.flatMap((each) => this.#line(each, top)), this.#hand());
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
    return stretchesOf(this.#points, key).flatMap((stretch) => {
      const places = stretch.map((point) => `${this.#x(point.at).toFixed(1)} ${this.#y(point[key] ?? 0, top).toFixed(1)}`);
      const [from, to] = [this.#x(stretch[0].at), this.#x(stretch[stretch.length - 1].at)];
      return [
        draw("path", { class: `area ${className}`, d: `M${from} ${bottom}L${places.join("L")}L${to} ${bottom}Z` }),
        draw("path", { class: `curve ${className}`, d: `M${places.join("L")}${places.length === 1 ? "h0" : ""}` }), // one alone is a dot
      ];
    });
  }

  #hand() {
    return draw("line", { class: "hand", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
  }

  /** Say what the lines have at the pointer's place. @param {number | null} x */
  #read(x) {
    const hand = this.svg.querySelector(".hand");
    const at = x === null ? null : this.#start + ((x - MARGIN.left) / this.#breadth) * this.#seconds;
    const point = at === null ? undefined : nearest(this.#points, at);
    hand?.setAttribute("visibility", point ? "visible" : "hidden");
    setText(this.reading, point ? `at ${clockOf(point.at - this.#start)}: ${this.#values(point)}` : "");
    if (!point) return;
    hand?.setAttribute("x1", String(this.#x(point.at)));
    hand?.setAttribute("x2", String(this.#x(point.at)));
  }

  /** @param {Rates} point */
  #values(point) {
    return this.series.map(({ key, name }) => `${name} ${this.format(point[key])}`).join(", ");
  }

  #summary() {
    if (this.#points.length === 0) return "Nothing to draw yet.";
    const maxima = this.series.map(({ key, name }) => `${name} at most ${this.format(Math.max(...this.#points.map((point) => point[key] ?? 0)))}`);
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
