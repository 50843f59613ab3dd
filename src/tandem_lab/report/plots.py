"""The main plots. Each has a table, and is empty if nothing was measured."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from xml.etree.ElementTree import Element

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.histogram import Percentiles
from tandem_lab.report.chart import (
    Bar,
    Line,
    Part,
    Point,
    Scale,
    bars,
    chart,
    legend,
    linear,
    logarithmic,
    percentile,
)
from tandem_lab.report.format import milliseconds, number, spread
from tandem_lab.report.markup import Content, details, element, table
from tandem_lab.report.metrics import PERCENTILE_NAMES, SERVERS, THREADS, component_name, cpu_by_thread
from tandem_lab.report.runs import LATENCIES, Latency, Loads, Runs
from tandem_lab.report.series import STAGES, lag_ms, rates
from tandem_lab.statistics import median_with_spread

COMPONENTS = (*THREADS, *SERVERS, "program", "generator")
MOST_LINES = 4
#: An axis and its name.
Axis = tuple[str, Scale]


def plotted(title: str, x: Axis, y: Axis, lines: Sequence[Line], limit: float | None = None) -> Element:
    """A chart with the names of its axes and its legend."""
    return element(
        "figure",
        element("p", y[0], class_="axis"),
        chart(title, x[1], y[1], lines, limit),
        element("p", x[0], class_="axis across"),
        legend(lines),
    )


def throughput(loads: Loads) -> list[Content]:
    """Users per second by stage, over the time of a typical run at saturation."""
    series = loads.saturated.typical.series if loads.saturated else []
    if loads.saturated is None or not series:
        return []
    key = loads.saturated.key
    lines = [Line(name, stage, rates(series, stage)) for stage, name in STAGES.items()]
    x = ("seconds since the load began", linear(series[-1].seconds))
    y = ("users per second", linear(max(rate for line in lines for _, rate in line.points)))
    rows = []
    for line in lines:
        found = median_with_spread([rate for _, rate in line.points])
        rows.append((line.name, *map(number, (found.median, found.min, found.max))))
    counts = [[f"{each.seconds:.2f}", *(f"{getattr(each, stage):,}" for stage in STAGES)] for each in series]
    return [
        plotted(f"Throughput over time: {key}", x, y, lines),
        element(
            "div",
            table(f"Users per second between samples: {key}", ("stage", "median", "min", "max"), rows),
            details(
                "Every sample",
                table("Users that had reached each stage", ("seconds", *STAGES.values()), counts),
            ),
        ),
    ]


def lag(loads: Loads) -> list[Content]:
    """How far MongoDB is behind, over time: at saturation, and at half of it."""
    shown = [each for each in (loads.saturated, loads.half) if each is not None and each.typical.series]
    lines = [
        Line(str(each.key), f"series-{n}", lag_ms(each.typical.series)) for n, each in enumerate(shown, 1)
    ]
    points = [point for line in lines for point in line.points]
    if not points:
        return []
    x = ("seconds since the load began", linear(max(second for second, _ in points)))
    y = ("lag in ms", linear(max(1.0, *(ms for _, ms in points))))
    return [
        plotted("Lag over time", x, y, lines),
        _percentile_table("Lag of every user, in ms", [(each, each.typical.lag_ms) for each in shown]),
    ]


def latency(loads: Loads) -> list[Content]:
    """How long clients waited for the answer to a command, for every share of the requests."""
    measured = {
        each.key: (each, each.answers())
        for each in loads.commands
        if each.of_service and each.answers().total
    }
    if not measured:
        return []
    first = [each.key for each in (loads.saturated, loads.half, *loads.closed) if each is not None]
    chosen = [key for key in dict.fromkeys([*first, *reversed(measured)]) if key in measured][:MOST_LINES]
    lines = [
        Line(str(key), f"series-{n}", [(share, ms) for ms, share in measured[key][1].cumulative()])
        for n, key in enumerate(chosen, 1)
    ]
    values = [ms for line in lines for _, ms in line.points]
    most = max(measured[key][1].total for key in chosen)
    x = ("share of the requests", percentile(min(5, max(2, floor(log10(most))))))
    y = ("ms, logarithmic", logarithmic(min(values), max(values)))
    rows = [(each, answers.percentiles()) for each, answers in measured.values()]
    return [
        plotted("Latency by percentile", x, y, lines),
        _percentile_table("Answers to commands, in ms, all rounds together", rows),
    ]


def cpu(loads: Loads) -> list[Content]:
    """CPU that each user or change costs, stacked by component."""
    shown = [each for each in loads.commands if each.measurements[0].cpu_us_per_user]
    if not shown:
        return []
    return stacked("load", {str(each.key): median_costs(each) for each in shown})


def stacked(of: str, costs: Mapping[str, Mapping[str, float]]) -> list[Content]:
    """CPU us per user by component, as a bar and a row for each."""
    names = [name for name in COMPONENTS if any(cost.get(name) for cost in costs.values())]
    names += sorted({name for cost in costs.values() for name in cost} - {*COMPONENTS})
    parts = {name: Part(component_name(name), _style(name), 1) for name in names}
    rows, cells = [], []
    for key, cost in costs.items():
        used = [
            msgspec.structs.replace(part, length=cost[name], label=f"{number(cost[name])} µs")
            for name, part in parts.items()
            if cost.get(name)
        ]
        rows.append(Bar(key, used, f"{number(sum(cost.values()))} µs"))
        cells.append((key, *(number(cost[name]) if name in cost else "" for name in names)))
    return [
        element("figure", legend(list(parts.values())), bars("CPU per user", rows)),
        table("CPU per user, in µs, medians", (of, *map(component_name, names)), cells),
    ]


def open_loop(loads: Loads) -> list[Content]:
    """Latency and lag at a fixed rate, up to the saturation."""
    most = loads.saturated.rate.median if loads.saturated else 0.0
    instances = loads.saturated.key.instances if loads.saturated else None
    opened = [
        each for each in loads.all if each.key.kind == Kind.OPEN and instances in {None, each.key.instances}
    ]
    opened.sort(key=lambda each: each.typical.rate_due or 0)
    lines = [
        Line(f"{name} {field}", f"{name}-{field}", _by_rate(opened, of, field), dots=True)
        for name, of in LATENCIES.items()
        for field in ("p50", "p99")
    ]
    values = [ms for line in lines for _, ms in line.points if ms > 0]
    if not values:
        return []
    rates_due = [rate for line in lines for rate, _ in line.points]
    x = ("users due per second; the upright line is the saturation", linear(max(*rates_due, most)))
    y = ("ms, logarithmic", logarithmic(min(values), max(values)))
    limit = most if loads.saturated else None
    return [plotted("Latency against rate", x, y, lines, limit), _open_table(opened)]


def contention(loads: Loads) -> list[Content]:
    """Updates per second by how unevenly they are spread, and how many tries were answered 412."""
    points: dict[Kind, list[Point]] = {Kind.CONTENDED: [], Kind.CONTENDED_IF_MATCH: []}
    rows = []
    for each in loads.contended:
        exponent, rate = each.key.exponent or 0.0, each.spread(lambda one: one.per_second["accepted"]).median
        points[each.key.kind].append((exponent, rate))
        latencies = [milliseconds(each.answers().percentiles(), field) for field in ("p50", "p99")]
        condition = "If-Match" if each.key.kind == Kind.CONTENDED_IF_MATCH else "none"
        rows.append((f"{exponent:g}", condition, number(rate), f"{each.conflicts:.1%}", *latencies))
    if not rows:
        return []
    lines = [Line(kind, f"series-{n}", some, dots=True) for n, (kind, some) in enumerate(points.items(), 1)]
    exponents, per_second = zip(*(point for some in points.values() for point in some), strict=True)
    x = ("exponent of Zipf's law; at 0 all users have the same share", linear(max(exponents)))
    y = ("updates per second", linear(max(per_second)))
    header = ("exponent", "condition", "updates/s", "answered 412", "p50, ms", "p99, ms")
    return [plotted("Updates by contention", x, y, lines), table("Contended updates, medians", header, rows)]


def _open_table(opened: Sequence[Runs]) -> Content:
    header = ("load", "due/s", "done/s", "answer p50, ms", "answer p99, ms", "lag p50, ms", "lag p99, ms")
    rows: list[Sequence[Content]] = []
    for each in opened:
        found = [each.latency(of, field) for of in LATENCIES.values() for field in ("p50", "p99")]
        latencies = [spread(one) if one else "" for one in found]
        done = element(
            "span", number(each.rate.median), element("small", "fell behind") if each.behind else None
        )
        rows.append((str(each.key), number(each.typical.rate_due or 0), done, *latencies))
    return table("Open loads", header, rows)


def _by_rate(opened: Sequence[Runs], of: Latency, field: str) -> list[tuple[float, float]]:
    found = [(each.typical.rate_due, each.latency(of, field)) for each in opened]
    return [(rate, latency.median) for rate, latency in found if rate and latency]


def median_costs(runs: Runs) -> dict[str, float]:
    """CPU us per user by component, medians of the rounds."""
    names = cpu_by_thread(runs.measurements[0])
    return {name: runs.spread(lambda each, n=name: cpu_by_thread(each).get(n, 0.0)).median for name in names}  # type: ignore[misc]


def _style(component: str) -> str:
    return component if component in COMPONENTS else "other"


def _percentile_table(caption: str, rows: Sequence[tuple[Runs, Percentiles | None]]) -> Content:
    cells = [
        (str(each.key), *(milliseconds(found, field) for field in PERCENTILE_NAMES))
        for each, found in rows
        if found
    ]
    return table(caption, ("load", *PERCENTILE_NAMES.values()), cells)
