// Shows values, and zooms charts in which only lines are drawn. The page says everything without it, too.
"use strict";
const LEFT = 80, RIGHT = 594, TOP = 14, BOTTOM = 284;

const tip = document.body.appendChild(document.createElement("div"));
tip.className = "tip";
tip.setAttribute("role", "status");

function say(lines, x, y) {
  tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 22 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 14 : y + 18}px`;
}
const hush = () => tip.replaceChildren();
for (const moves of ["wheel", "touchmove"]) addEventListener(moves, hush, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hush());

for (const each of document.querySelectorAll("[data-tip], abbr[title]")) {
  const lines = each.dataset.tip?.split("|") ?? [each.title];
  const show = () => say(lines, each.getBoundingClientRect().left, each.getBoundingClientRect().bottom - 10);
  each.removeAttribute("title");
  each.tabIndex = 0;
  each.onfocus = show;
  each.onclick = show;
  each.onpointermove = (event) => say(lines, event.clientX, event.clientY);
  each.onblur = each.onpointerleave = hush;
}

function drawn(svg, name, attributes, text = "") {
  const made = svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function alive(svg) {
  const figure = svg.closest("figure"), area = svg.querySelector(".area"), ticks = svg.querySelector(".ticks");
  const end = Number(svg.dataset.end ?? 0), allTicks = [...ticks.childNodes];
  const axis = figure.querySelector(".across").textContent.split(/[;,]/)[0];
  const points = [...area.querySelectorAll("[data-points]")].reverse().flatMap((line) => {
    const name = line.firstChild.textContent;
    line.firstChild.remove(); // else the browser shows the line's name beside the values
    return line.dataset.points.split("|").filter(Boolean).map((point) => {
      const [x, y, atX, value] = point.split(";");
      return { name, atX, value, x: Number(x), y: Number(y) };
    });
  });
  const stops = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  let from = LEFT, to = RIGHT, pressed = null, chosen = null, marks = [];

  const seen = (x) => LEFT + ((x - from) / (to - from)) * (RIGHT - LEFT);
  const meant = (x) => from + ((x - LEFT) / (RIGHT - LEFT)) * (to - from);
  function at(event) {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return { x: Math.max(LEFT, Math.min(RIGHT, place.x)), y: place.y };
  }
  function clear() {
    marks.forEach((mark) => mark.remove());
    marks = [];
    hush();
  }
  function show(x, place) {
    clear();
    chosen = x;
    const near = points.filter((point) => Math.abs(point.x - x) < 2);
    const said = [...new Set(near.map((point) => point.name))].map((name) => {
      const far = (point) => Math.abs(point.x - x), all = near.filter((point) => point.name === name);
      const shown = all.filter((point) => far(point) === Math.min(...all.map(far)));
      marks.push(...shown.map((point) => drawn(svg, "circle", { cx: seen(point.x), cy: point.y, r: 4, class: "chosen" })));
      return `${name}: ${shown.map((point) => point.value).join(", ")}`;
    });
    marks.push(drawn(svg, "path", { d: `M${seen(x)} ${TOP}V${BOTTOM}`, class: "cross" }));
    const box = svg.getBoundingClientRect();
    const beside = { clientX: box.left + (seen(x) / 640) * box.width, clientY: box.top + box.height / 4 };
    const { clientX, clientY } = place ?? beside;
    say([`${axis}: ${near[0].atX}`, ...said], clientX, clientY);
  }
  function zoom(a, b) {
    [from, to] = [a, b];
    clear();
    area.setAttribute("viewBox", `${a} ${TOP} ${b - a} ${BOTTOM - TOP}`);
    svg.classList.toggle("zoomed", b - a < RIGHT - LEFT);
    ticks.replaceChildren(...(b - a < RIGHT - LEFT ? [] : allTicks));
    if (ticks.firstChild) return;
    const value = (x) => ((x - LEFT) / (RIGHT - LEFT)) * end, span = value(b) - value(a);
    const fine = [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(span / 6))).find((step) => span <= 6 * step);
    for (let n = Math.ceil(value(a) / fine); n * fine <= value(b); n++) {
      const x = seen(LEFT + ((n * fine) / end) * (RIGHT - LEFT));
      drawn(ticks, "path", { d: `M${x} ${BOTTOM}v5`, class: "grid" });
      drawn(ticks, "text", { x, y: BOTTOM + 8, dy: "1em", "text-anchor": "middle" }, `${Number((n * fine).toPrecision(6))}`);
    }
  }

  svg.tabIndex = 0;
  svg.onpointermove = (event) => {
    const place = at(event);
    if (pressed !== null && end) {
      clear();
      const d = `M${pressed} ${TOP}H${place.x}V${BOTTOM}H${pressed}z`;
      marks = [drawn(svg, "path", { d, class: "selected" })];
      return;
    }
    const far = (point) => Math.hypot(seen(point.x) - place.x, (point.y - place.y) / 4);
    const visible = points.filter((point) => point.x >= from && point.x <= to);
    if (visible.length) show(visible.reduce((best, point) => (far(point) < far(best) ? point : best)).x, event);
  };
  svg.onpointerdown = (event) => {
    svg.onpointermove(event);
    pressed = at(event).x;
  };
  svg.onpointerup = (event) => {
    const [a, b] = [pressed, at(event).x].sort((one, other) => one - other).map(meant);
    if (end && pressed !== null && Math.abs(at(event).x - pressed) > 12) zoom(a, b);
    pressed = null;
  };
  svg.onpointerleave = svg.onpointercancel = (event) => {
    pressed = null;
    if (event.pointerType !== "touch") clear(); // a finger that is lifted leaves, too
  };
  svg.onblur = clear;
  svg.ondblclick = () => zoom(LEFT, RIGHT);
  svg.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], visible = stops.filter((x) => x >= from && x <= to);
    if (step && visible.length) {
      const next = step > 0 ? visible.find((x) => x > chosen) : visible.findLast((x) => x < (chosen ?? Infinity));
      show(next ?? chosen ?? visible[0]);
      event.preventDefault();
    } else if (event.key === "+" && end) {
      const middle = chosen ?? (from + to) / 2, half = (to - from) / 4;
      zoom(Math.max(LEFT, middle - half), Math.min(RIGHT, middle + half));
    } else if (event.key === "-" || event.key === "Escape") zoom(LEFT, RIGHT);
  };
  const hint = figure.appendChild(document.createElement("p"));
  hint.className = "hint";
  hint.textContent = `Point at it for values, or use the arrow keys.${end ? " Drag (or +) zooms, a double click (or −) ends that." : ""}`;
  svg.classList.toggle("zooms", end > 0);
}
document.querySelectorAll(".chart").forEach(alive);
