"""Line charts as SVG: scales with ticks, lines, dots and a legend. Colours and dashes come from page.css.

All coordinates are in a box of 640 x 320 units that is as wide as its place; the letters grow on narrow
screens, where the box shrinks. Titles of axes stand around the box as text of the page.
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import Protocol
from xml.etree.ElementTree import Element

import msgspec

from tandem_lab.report.markup import element

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 80, 46, 14, 36
MOST_TICKS = 6

Point = tuple[float, float]


class Scale(Protocol):
    """Brings values to 0..1, and knows which of them to write on an axis."""

    def at(self, value: float) -> float:
        """0 at the axis' beginning, 1 at its end."""

    def ticks(self) -> list[tuple[float, str]]:
        """Values with their labels."""


class Linear(msgspec.Struct, frozen=True):
    """From zero to at least `most`."""

    most: float

    @property
    def step(self) -> float:
        """The smallest of 1, 2, 5, 10, ... that needs no more than six ticks."""
        power = 10.0 ** floor(log10(max(self.most, 1e-9) / MOST_TICKS))
        return next(
            power * factor for factor in (1, 2, 5, 10, 20) if self.most <= power * factor * MOST_TICKS
        )

    def at(self, value: float) -> float:
        """Proportional."""
        return value / (self.step * max(1, ceil(self.most / self.step)))

    def ticks(self) -> list[tuple[float, str]]:
        """Multiples of the step."""
        count = max(1, ceil(self.most / self.step))
        return [(n * self.step, f"{n * self.step:,.10g}") for n in range(count + 1)]


class Logarithmic(msgspec.Struct, frozen=True):
    """From the 1, 2 or 5 times a power of ten below `least` to the one above `most`; both are positive."""

    least: float
    most: float

    @property
    def steps(self) -> list[float]:
        """1, 2, 5, 10, ... around all values; powers of ten alone where that would be too many."""
        # One power more on both sides: log10 rounds, and 999999999.9999999 would begin at 10**9.
        low, high = floor(log10(self.least)) - 1, ceil(log10(self.most)) + 2
        fine = [factor * 10.0**power for power in range(low, high) for factor in (1, 2, 5)]
        first = max(n for n, step in enumerate(fine) if step <= self.least)
        last = min(n for n, step in enumerate(fine) if step >= self.most)
        chosen = fine[first : max(last, first + 1) + 1]
        if len(chosen) <= MOST_TICKS + 2:
            return chosen
        return [10.0**power for power in range(low, ceil(log10(self.most)) + 1)]

    def at(self, value: float) -> float:
        """By the logarithm."""
        first, last = self.steps[0], self.steps[-1]
        return log10(max(value, first) / first) / log10(last / first)

    def ticks(self) -> list[tuple[float, str]]:
        """The steps."""
        return [(step, f"{step:,.10g}") for step in self.steps]


class Percentile(msgspec.Struct, frozen=True):
    """Shares from 0 to below 1 with room for the rare ones: 90, 99 and 99.9 % are equally far apart."""

    nines: int

    def at(self, value: float) -> float:
        """By the logarithm of the share that is left; beyond the last tick everything is at the end."""
        return -log10(max(1 - value, 10.0**-self.nines)) / self.nines

    def ticks(self) -> list[tuple[float, str]]:
        """50, 90, 99, 99.9, ... percent."""
        shares = [0.5, *(1 - 10.0**-nines for nines in range(1, self.nines + 1))]
        return [(share, f"{100 * share:.10g}%") for share in shares]


class Line(msgspec.Struct, frozen=True):
    """What is drawn under one name, in the style of its CSS class: a line, or dots alone."""

    name: str
    style: str
    points: Sequence[Point]
    dots: bool = False
    stroke: bool = True


def chart(title: str, x: Scale, y: Scale, lines: Sequence[Line], limit: float | None = None) -> Element:
    """The picture; `limit` is an x that is marked by an upright line."""
    return element(
        "svg",
        element("title", title),
        *_grid(x, y),
        *([_upright(x, limit)] if limit is not None else []),
        # The first is drawn last: a dotted line stays visible on the others.
        *(mark for line in reversed(lines) for mark in _marks(line, x, y)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="chart",
    )


def legend(lines: Sequence[Line]) -> Element:
    """The lines' names, each beside a piece of its line."""
    return element("ul", *(element("li", _swatch(line), line.name) for line in lines), class_="legend")


def _grid(x: Scale, y: Scale) -> Iterator[Element]:
    for value, label in y.ticks():
        height = _y(y, value)
        yield element("path", d=f"M{LEFT} {height:.1f}H{WIDTH - RIGHT}", class_="grid")
        yield element("text", label, x=LEFT - 8, y=height, dy="0.35em", text_anchor="end")
    for value, label in x.ticks():
        yield element("path", d=f"M{_x(x, value):.1f} {HEIGHT - BOTTOM}v5", class_="grid")
        yield element("text", label, x=_x(x, value), y=HEIGHT - BOTTOM + 8, dy="1em", text_anchor="middle")


def _marks(line: Line, x: Scale, y: Scale) -> Iterator[Element]:
    places = [(_x(x, value), _y(y, height)) for value, height in line.points]
    if line.stroke and len(places) > 1:
        way = "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
        yield element("path", element("title", line.name), d=f"M{way}", class_=f"line {line.style}")
    if line.dots:
        for across, down in places:
            yield element("circle", cx=across, cy=down, r=4.5, class_=f"dot {line.style}")


def _upright(x: Scale, value: float) -> Element:
    return element("path", d=f"M{_x(x, value):.1f} {TOP}V{HEIGHT - BOTTOM}", class_="limit")


def _swatch(line: Line) -> Element:
    marks = [element("path", d="M0 6h28", class_=f"line {line.style}")] if line.stroke else []
    if line.dots:
        marks.append(element("circle", cx=14, cy=6, r=4.5, class_=f"dot {line.style}"))
    return element("svg", *marks, viewBox="0 0 28 12", class_="swatch", aria_hidden="true")


def _x(scale: Scale, value: float) -> float:
    return LEFT + scale.at(value) * (WIDTH - LEFT - RIGHT)


def _y(scale: Scale, value: float) -> float:
    return HEIGHT - BOTTOM - scale.at(value) * (HEIGHT - TOP - BOTTOM)
