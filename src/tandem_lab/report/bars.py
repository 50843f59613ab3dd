"""Bars that lie: a line for each name, with a bar of one or more parts below it and its number at the end."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import msgspec

from tandem_lab.report.markup import element


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


def _drawn(bar: Bar, longest: float) -> Element:
    pieces, at = [], 0.0
    for part in bar.parts:
        width = 100 * part.length / longest
        title = element("title", f"{bar.name}: {part.name}")
        pieces.append(element("rect", title, x=at, y=0, width=width, height=10, class_=f"bar {part.style}"))
        at += width
    return element("svg", *pieces, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
