"""Pictures as SVG: charts of lines and dots, and bars. Colours and dashes come from page.css.

A chart is a box of 640 x 320 units that is as wide as the page has room. On narrow screens the box shrinks,
and its letters grow. The names of the axes stand around the box, as text of the page.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, log10
from xml.etree.ElementTree import Element

import msgspec

from tandem_lab.report.markup import element

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 80, 46, 14, 36
MOST_TICKS = 6

Point = tuple[float, float]


class Scale(msgspec.Struct, frozen=True):
    """An axis. `at` is 0 for a value at its beginning and 1 for one at its end. `ticks` have labels."""

    at: Callable[[float], float]
    ticks: list[tuple[float, str]]


def linear(most: float) -> Scale:
    """From zero to at least `most`, with no more than six steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(max(most, 1e-9) / MOST_TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if most <= power * factor * MOST_TICKS)
    count = max(1, ceil(most / step))
    return Scale(lambda value: value / (step * count), _labelled([n * step for n in range(count + 1)]))


def logarithmic(least: float, most: float) -> Scale:
    """From the 1, 2 or 5 times a power of ten below `least` to the one above `most`; both are positive.

    If these would be too many ticks, only powers of ten are ticks.
    """
    # One power more on both sides, because log10 rounds: 999999999.9999999 would begin at 10**9.
    low, high = floor(log10(least)) - 1, ceil(log10(most)) + 2
    fine = [factor * 10.0**power for power in range(low, high) for factor in (1, 2, 5)]
    begin = max(n for n, step in enumerate(fine) if step <= least)
    end = min(n for n, step in enumerate(fine) if step >= most)
    steps = fine[begin : max(end, begin + 1) + 1]
    if len(steps) > MOST_TICKS + 2:
        steps = [10.0**power for power in range(low, ceil(log10(most)) + 1)]
    first, last = steps[0], steps[-1]
    return Scale(lambda value: log10(max(value, first) / first) / log10(last / first), _labelled(steps))


def percentile(nines: int) -> Scale:
    """Shares from 0 to below 1: 90, 99 and 99.9 % are equally far apart. Beyond the last tick is the end."""
    shares = [0.5, *(1 - 10.0**-count for count in range(1, nines + 1))]
    return Scale(
        lambda value: -log10(max(1 - value, 10.0**-nines)) / nines,
        [(share, f"{100 * share:.10g}%") for share in shares],
    )


def _labelled(values: Sequence[float]) -> list[tuple[float, str]]:
    return [(value, f"{value:,.10g}") for value in values]


class Line(msgspec.Struct, frozen=True):
    """What is drawn under one name, in the style of its CSS class: a line, dots, or both."""

    name: str
    style: str
    points: Sequence[Point]
    dots: bool = False
    stroke: bool = True

    def swatch(self) -> Element:
        """A piece of the line for a legend."""
        marks = [element("path", d="M0 6h28", class_=f"line {self.style}")] if self.stroke else []
        if self.dots:
            marks.append(element("circle", cx=14, cy=6, r=4.5, class_=f"dot {self.style}"))
        return element("svg", *marks, viewBox="0 0 28 12", class_="swatch", aria_hidden="true")


class Part(msgspec.Struct, frozen=True):
    """A piece of a bar, in the style of its CSS class."""

    name: str
    style: str
    length: float

    def swatch(self) -> Element:
        """A square for a legend."""
        square = element("rect", width=12, height=12, class_=f"bar {self.style}")
        return element("svg", square, viewBox="0 0 12 12", class_="swatch square", aria_hidden="true")


class Bar(msgspec.Struct, frozen=True):
    """What is compared: its name, its parts from left to right, and what is written at its end."""

    name: str
    parts: Sequence[Part]
    label: str


def chart(title: str, x: Scale, y: Scale, lines: Sequence[Line], limit: float | None = None) -> Element:
    """The picture. An upright line marks the x `limit`."""
    return element(
        "svg",
        element("title", title),
        *_grid(x, y),
        *([_upright(x, limit)] if limit is not None else []),
        # The first is drawn last, so that a dotted line stays visible on the others.
        *(mark for line in reversed(lines) for mark in _marks(line, x, y)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="chart",
    )


def bars(title: str, rows: Sequence[Bar]) -> Element:
    """All bars on one scale, which begins at zero."""
    longest = max((sum(part.length for part in bar.parts) for bar in rows), default=0) or 1
    return element(
        "ul",
        *(
            element("li", element("span", bar.name), element("b", bar.label), _drawn(bar, longest))
            for bar in rows
        ),
        class_="bars",
        aria_label=title,
    )


def legend(drawn: Sequence[Line | Part]) -> Element:
    """The names of lines or of parts of bars, each beside what it looks like."""
    return element("ul", *(element("li", each.swatch(), each.name) for each in drawn), class_="legend")


def _grid(x: Scale, y: Scale) -> Iterator[Element]:
    for value, label in y.ticks:
        height = _y(y, value)
        yield element("path", d=f"M{LEFT} {height:.1f}H{WIDTH - RIGHT}", class_="grid")
        yield element("text", label, x=LEFT - 8, y=height, dy="0.35em", text_anchor="end")
    for value, label in x.ticks:
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


def _x(scale: Scale, value: float) -> float:
    return LEFT + scale.at(value) * (WIDTH - LEFT - RIGHT)


def _y(scale: Scale, value: float) -> float:
    return HEIGHT - BOTTOM - scale.at(value) * (HEIGHT - TOP - BOTTOM)


def _drawn(bar: Bar, longest: float) -> Element:
    pieces, at = [], 0.0
    for part in bar.parts:
        width = 100 * part.length / longest
        title = element("title", f"{bar.name}: {part.name}")
        pieces.append(element("rect", title, x=at, y=0, width=width, height=10, class_=f"bar {part.style}"))
        at += width
    return element("svg", *pieces, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
