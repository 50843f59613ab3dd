"""A line chart as a drawing (SVG), with upright lines where somebody made a fault."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

# Small, so that its texts can be read on a phone; wider screens enlarge it.
WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 22, 18

Point = tuple[float, float]


class Curve(NamedTuple):
    """A name, the class of its style, and its points: seconds since the epoch, and a value."""

    name: str
    style: str
    points: Sequence[Point]


def chart(title: str, curves: Sequence[Curve], faults: Sequence[tuple[float, str]], unit: str) -> str:
    """The drawing. `faults` are moments, and what was done then; those outside of the curves are left out."""
    points = [point for curve in curves for point in curve.points]
    if not points:
        return '<p class="muted">Nothing to draw.</p>'
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    most = max(value for _, value in points) or 1

    def x(at: float) -> float:
        return LEFT + (at - first) / max(last - first, 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)

    def line(curve: Curve) -> str:
        places = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in sorted(curve.points))
        return (
            f'<polyline class="curve {curve.style}" points="{places}"><title>{curve.name}</title></polyline>'
        )

    def level(value: float) -> str:
        place = f"{y(value):.1f}"
        text = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
        return (
            f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place}" y2="{place}"/>'
            f'<text x="{LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{text}{unit}</text>'
        )

    def fault(number: int, at: float, text: str) -> str:
        return (
            f'<line class="fault" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
            f"<title>{escape(text)}</title></line>"
            f'<text class="fault" x="{x(at):.1f}" y="{TOP - 4}" text-anchor="middle">{number}</text>'
        )

    # A second before and after: samples are a second apart.
    within = [(at, text) for at, text in faults if first - 1 <= at <= last + 1]
    drawn = [fault(number, min(max(at, first), last), text) for number, (at, text) in enumerate(within, 1)]
    legend = ", ".join(f"{curve.name} at most {_most(curve):,.3g}{unit}" for curve in curves)
    label = escape(f"{title} over {last - first:.0f} s: {legend}")
    faults_told = "".join(f"<li>{escape(text)}</li>" for _, text in within)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        + "".join(level(value) for value in (0, most / 2, most))
        + "".join(map(line, curves))
        + "".join(drawn)
        + f'<text x="{LEFT}" y="{HEIGHT - 4}">0 s</text>'
        + f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{last - first:.0f} s</text></svg>'
        + f'<p class="muted">{escape(legend)}</p>'
        + (f"<ol>{faults_told}</ol>" if faults_told else "")
    )


def _most(curve: Curve) -> float:
    return max((value for _, value in curve.points), default=0)
