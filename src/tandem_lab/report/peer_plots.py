"""The plots of systems side by side."""

from collections.abc import Sequence

from tandem_lab.report.chart import Bar, Line, Part, bars, logarithmic
from tandem_lab.report.format import number
from tandem_lab.report.markup import Content, element, table
from tandem_lab.report.metrics import SERVERS
from tandem_lab.report.peers import Column, Peer, columns_of, peers_of
from tandem_lab.report.plots import median_costs, plotted, stacked
from tandem_lab.report.runs import Loads, Runs

#: From this factor between the longest and the shortest bar on, lengths are logarithmic.
WIDE = 20
STYLES = 8


def plots(loads: Loads) -> dict[str, Sequence[Content]]:
    """What goes into the slots of the plots."""
    peers = peers_of(loads)
    by_name = {column.name: column for column in columns_of(peers)}
    return {
        "peer-rates": _compared(by_name["users/s"], peers),
        "peer-lags": _lags(peers),
        "peer-cpu": _cpu(peers),
        "peer-size": _compared(by_name["memory"], peers) + _compared(by_name["lines"], peers),
    }


def _compared(column: Column, peers: Sequence[Peer]) -> list[Content]:
    """A bar for each system, the best first, with the reach of its rounds."""
    found = [(each.facts.name, value) for each in peers if (value := column.of(each)) is not None]
    if not found:
        return []
    found.sort(key=lambda pair: pair[1].median, reverse=column.more_is_better)
    least, most = min(value.min for _, value in found), max(value.max for _, value in found)
    is_wide = least > 0 and most / least > WIDE
    scale = logarithmic(least / 2, most) if is_wide else None
    rows = []
    for name, value in found:
        middle, *reach = (scale.at(x) if scale else x for x in (value.median, value.min, value.max))
        label = f"{number(value.median)}{column.unit}"
        reached = (reach[0], reach[1]) if value.repeats > 1 else None
        rows.append(Bar(name, [Part("", "measured", middle)], label, reached))
    title = f"{column.name}: {column.what}"
    note = f"{title}. Logarithmic: equal lengths are equal factors." if scale else f"{title}."
    return [element("figure", element("figcaption", note), bars(title, rows))]


def _lags(peers: Sequence[Peer]) -> list[Content]:
    """Lag against the time to the answer, from p50 to p99, at half of each system's rate."""
    shown = [(each.facts.name, way) for each in peers if each.half and (way := _way(each.half))]
    if not shown:
        return []
    lines = [
        Line(name, f"series-{1 + n % STYLES}", way, dots=True, called=name)
        for n, (name, way) in enumerate(shown)
    ]
    answers, lags = zip(*(point for line in lines for point in line.points), strict=True)
    x = (
        "ms until the answer, logarithmic; a line leads from p50 to p99",
        logarithmic(min(answers), max(answers)),
    )
    y = ("ms of lag, logarithmic", logarithmic(min(lags), max(lags)))
    rows = [(name, *(number(ms) for point in way for ms in point)) for name, way in shown]
    header = ("system", "answer p50, ms", "lag p50, ms", "answer p99, ms", "lag p99, ms")
    return [plotted("Lag against answer", x, y, lines), table("At half of its own users/s", header, rows)]


def _way(half: Runs) -> list[tuple[float, float]]:
    """Answer and lag in ms at p50 and at p99; empty if one is unknown or zero."""
    found = [(half.latency("post_ms", field), half.latency("lag_ms", field)) for field in ("p50", "p99")]
    return [(a.median, b.median) for a, b in found if a and b and a.median > 0 and b.median > 0]


def _cpu(peers: Sequence[Peer]) -> list[Content]:
    """CPU per user over the most connections, stacked by component."""
    costs = {
        each.facts.name: {name: us for name, us in median_costs(each.most).items() if name in SERVERS}
        for each in peers
        if each.most
    }
    return stacked("system", costs) if any(costs.values()) else []
