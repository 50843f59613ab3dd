"""Draws the three numbers of the README from the tables of docs/peers.md.

python scripts/numbers_of_peers.py          (`make docs` does it, too)
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

DOCS = Path(__file__).parents[1] / "docs"
PICTURE = DOCS / "images" / "numbers.svg"

NAMES, PANEL, BAR, TOP = 132, 272, 26, 64
LONGEST = 190  # of a bar

STYLE = """
    text { fill: #17212b; font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
    .card { fill: #ffffff; stroke: #cfd6dd; }
    .title { font-weight: 600; }
    .small { font-size: 12px; fill: #45525f; }
    .bar { fill: #aab4be; }
    .ours { fill: #2563c9; }
    .lost { fill: #c2410c; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e7edf3; }
      .card { fill: #161e26; stroke: #33414e; }
      .small { fill: #a9b6c2; }
      .bar { fill: #64727f; }
      .ours { fill: #6ea8ff; }
      .lost { fill: #fb923c; }
    }"""


class Panel(NamedTuple):
    """One number of every design."""

    title: str
    below: str
    values: Sequence[int]
    #: The class of all bars but ours.
    others: str = "bar"


def column(page: str, head: str, name: str) -> dict[str, int]:
    """A column of the table that begins with this head: a whole number for each system."""
    table = page[page.index(head) :].partition("\n\n")[0].splitlines()
    place = [cell.strip() for cell in table[0].split("|")].index(name)
    found = {}
    for row in table[2:]:
        cells = [cell.strip(" `*") for cell in row.split("|")]
        found[cells[1]] = int(re.findall(r"^[\d,]+", cells[place])[0].replace(",", ""))
    return found


def picture(page: str) -> str:
    """The picture, as SVG."""
    rates = column(page, "| system | users/s", "users/s")
    costs = column(page, "| system | users/s", "CPU of a user, us")
    lost = column(page, "| system | verdict", "lost")
    names = list(rates)
    panels = (
        Panel("users per second", "in both databases, 200 connections", [rates[name] for name in names]),
        Panel(
            "lost of 4,000", "acknowledged, while three faults struck", [lost[name] for name in names], "lost"
        ),
        Panel("CPU of a user", "microseconds, programs and databases", [costs[name] for name in names]),
    )
    width, height = NAMES + PANEL * len(panels) + 10, TOP + BAR * len(names) + 14
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="title">',
        f'  <title id="title">{escape(_said(names, panels))}</title>',
        f"  <style>{STYLE}\n  </style>",
        f'  <rect class="card" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="14"/>',
        *(
            f'  <text class="{"title" if at == 0 else ""}" x="{NAMES - 10}" y="{TOP + BAR * at + 15}"'
            f' text-anchor="end">{name}</text>'
            for at, name in enumerate(names)
        ),
        *(line for at, panel in enumerate(panels) for line in _drawn(panel, NAMES + at * PANEL)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _drawn(panel: Panel, left: int) -> Iterator[str]:
    yield f'  <text class="title" x="{left}" y="26">{escape(panel.title)}</text>'
    yield f'  <text class="small" x="{left}" y="44">{escape(panel.below)}</text>'
    for at, value in enumerate(panel.values):
        length = round(LONGEST * value / max(panel.values))
        y = TOP + BAR * at
        kind = "ours" if at == 0 else panel.others
        yield f'  <rect class="{kind}" x="{left}" y="{y}" width="{length}" height="20" rx="3"/>'
        bold = ' class="title"' if at == 0 else ""
        yield f'  <text{bold} x="{left + length + 6}" y="{y + 15}">{value:,}</text>'


def _said(names: Sequence[str], panels: Sequence[Panel]) -> str:
    """All of it in words, for who cannot see it."""
    parts = (
        f"{panel.title}: "
        + ", ".join(f"{name} {value:,}" for name, value in zip(names, panel.values, strict=True))
        for panel in panels
    )
    return "; ".join(parts) + "."


def draw() -> None:
    """Write the picture."""
    PICTURE.write_text(picture((DOCS / "peers.md").read_text()))


if __name__ == "__main__":
    draw()
