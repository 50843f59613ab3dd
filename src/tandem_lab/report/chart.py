"""Pictures as SVG: charts of lines and dots, and bars. Colours and dashes come from page.css.

A chart is a box of 640 x 320 units that is as wide as the page has room. On narrow screens the box shrinks,
and its letters grow. The names of the axes stand around the box, as text of the page.

What page.js shows of a point or a bar is in attributes, as text that is ready: `data-points` of a line has
`x;y;what x is;what y is` of each point, separated by `|`, and `data-tip` of a bar has its lines.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, log10
from xml.etree.ElementTree import Element

import msgspec

from tandem_lab.report.format import number
from tandem_lab.report.markup import element

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 80, 46, 14, 36
MOST_TICKS = 6
NAME_HEIGHT = 18

Point = tuple[float, float]


class Scale(msgspec.Struct, frozen=True):
    """An axis. `at` is 0 for a value at its beginning and 1 for one at its end. `ticks` have labels.

    `end` is the value at the end of a linear axis, which is what page.js can zoom.
    """

    at: Callable[[float], float]
    ticks: list[tuple[float, str]]
    say: Callable[[float], str] = number
    end: float | None = None


def linear(most: float) -> Scale:
    """From zero to at least `most`, with no more than six steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(max(most, 1e-9) / MOST_TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if most <= power * factor * MOST_TICKS)
    count = max(1, ceil(most / step))
    end, ticks = step * count, _labelled([n * step for n in range(count + 1)])
    return Scale(lambda value: value / end, ticks, end=end)


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
        lambda share: f"{100 * share:.6g}%",
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
    #: What is written beside the first point.
    called: str = ""

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
    label: str = ""

    def swatch(self) -> Element:
        """A square for a legend."""
        square = element("rect", width=12, height=12, class_=f"bar {self.style}")
        return element("svg", square, viewBox="0 0 12 12", class_="swatch square", aria_hidden="true")


class Bar(msgspec.Struct, frozen=True):
    """What is compared: its name, its parts from left to right, and what is written at its end.

    `reach` is how far it ended at least and at most.
    """

    name: str
    parts: Sequence[Part]
    label: str
    reach: tuple[float, float] | None = None


def chart(title: str, x: Scale, y: Scale, lines: Sequence[Line], limit: float | None = None) -> Element:
    """The picture. An upright line marks the x `limit`."""
    return element(
        "svg",
        element("title", title),
        *_levels(y),
        element("g", *_ticks(x), class_="ticks"),
        # A box of its own, so that page.js can zoom it.
        element(
            "svg",
            *([_upright(x, limit)] if limit is not None else []),
            # The first is drawn last, so that a dotted line stays visible on the others.
            *(_marks(line, x, y) for line in reversed(lines)),
            *_names(lines, x, y),
            x=LEFT,
            y=TOP,
            width=WIDTH - LEFT - RIGHT,
            height=HEIGHT - TOP - BOTTOM,
            viewBox=f"{LEFT} {TOP} {WIDTH - LEFT - RIGHT} {HEIGHT - TOP - BOTTOM}",
            preserveAspectRatio="none",
            class_="area",
        ),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        class_="chart",
        # Dots would become ovals.
        data_end=None if any(line.dots for line in lines) else x.end,
    )


def bars(title: str, rows: Sequence[Bar]) -> Element:
    """All bars on one scale, which begins at zero."""
    ends = (max(sum(part.length for part in bar.parts), *(bar.reach or (0.0,))) for bar in rows)
    longest = max(ends, default=0) or 1
    return element(
        "ul",
        *(
            element(
                "li",
                element("span", bar.name),
                element("b", bar.label),
                _drawn(bar, longest),
                data_tip="|".join([f"{bar.name}: {bar.label}", *_said(bar)]),
            )
            for bar in rows
        ),
        class_="bars",
        aria_label=title,
    )


def legend(drawn: Sequence[Line | Part]) -> Element:
    """The names of lines or of parts of bars, each beside what it looks like."""
    return element("ul", *(element("li", each.swatch(), each.name) for each in drawn), class_="legend")


def _levels(y: Scale) -> Iterator[Element]:
    for value, label in y.ticks:
        height = _y(y, value)
        yield element("path", d=f"M{LEFT} {height:.1f}H{WIDTH - RIGHT}", class_="grid")
        yield element("text", label, x=LEFT - 8, y=height, dy="0.35em", text_anchor="end")


def _ticks(x: Scale) -> Iterator[Element]:
    for value, label in x.ticks:
        yield element("path", d=f"M{_x(x, value):.1f} {HEIGHT - BOTTOM}v5", class_="grid")
        yield element("text", label, x=_x(x, value), y=HEIGHT - BOTTOM + 8, dy="1em", text_anchor="middle")


def _marks(line: Line, x: Scale, y: Scale) -> Element:
    places = [(_x(x, value), _y(y, height)) for value, height in line.points]
    said = (f"{x.say(value)};{y.say(height)}" for value, height in line.points)
    marks = []
    if line.stroke and len(places) > 1:
        way = "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
        marks.append(element("path", d=f"M{way}", class_=f"line {line.style}"))
    if line.dots:
        marks += [element("circle", cx=cx, cy=cy, r=4.5, class_=f"dot {line.style}") for cx, cy in places]
    points = "|".join(f"{cx:.1f};{cy:.1f};{text}" for (cx, cy), text in zip(places, said, strict=True))
    return element("g", element("title", line.name), *marks, data_points=points)


def _names(lines: Sequence[Line], x: Scale, y: Scale) -> Iterator[Element]:
    """The names of points, each below the last one, so that none covers another."""
    lowest = 0.0
    named = (line for line in lines if line.called and line.points)
    for line in sorted(named, key=lambda line: -line.points[0][1]):
        across, down = _x(x, line.points[0][0]), _y(y, line.points[0][1])
        lowest = max(down, lowest + NAME_HEIGHT)
        to_left = across > (LEFT + WIDTH - RIGHT) / 2
        yield element(
            "text",
            line.called,
            x=across - 9 if to_left else across + 9,
            y=lowest,
            dy="0.35em",
            text_anchor="end" if to_left else None,
            class_=f"name {line.style}",
        )


def _upright(x: Scale, value: float) -> Element:
    return element("path", d=f"M{_x(x, value):.1f} {TOP}V{HEIGHT - BOTTOM}", class_="limit")


def _x(scale: Scale, value: float) -> float:
    return LEFT + scale.at(value) * (WIDTH - LEFT - RIGHT)


def _y(scale: Scale, value: float) -> float:
    return HEIGHT - BOTTOM - scale.at(value) * (HEIGHT - TOP - BOTTOM)


def _said(bar: Bar) -> list[str]:
    return [f"{part.name}: {part.label}" for part in bar.parts if part.label]


def _drawn(bar: Bar, longest: float) -> Element:
    pieces, at = [], 0.0
    for part in bar.parts:
        width = 100 * part.length / longest
        pieces.append(element("rect", x=at, y=0, width=width, height=10, class_=f"bar {part.style}"))
        at += width
    if bar.reach is not None:
        least, most = (100 * end / longest for end in bar.reach)
        pieces.append(element("path", d=f"M{least:.2f} 5H{most:.2f}", class_="reach"))
    return element("svg", *pieces, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
