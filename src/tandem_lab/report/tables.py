"""Everything that was measured, in tables: by load, run by run, and where."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.report.analysis import ratios
from tandem_lab.report.chart import Bar, Part, bars
from tandem_lab.report.format import milliseconds, number, spread
from tandem_lab.report.markup import Content, details, element, table
from tandem_lab.report.metrics import COMPONENT_NAMES, component_name, servers_cpu
from tandem_lab.report.runs import Loads, Runs
from tandem_lab.statistics import median_with_spread

BASELINES = {
    Kind.FROZEN_FLOOR: "an early version's statements, in batches of 500, without HTTP; they never change",
    Kind.CURRENT_FLOOR: "today's statements, in batches of 500, without HTTP",
    Kind.PLAIN_WAY: "FastAPI, SQLAlchemy and PyMongo, one user at a time: an engineer's afternoon",
    Kind.ONE_AT_A_TIME: "pgbench writes PostgreSQL's half alone, one user a transaction",
    Kind.FIND_ONE: "one find_one for each request, with PyMongo, behind the same HTTP layer",
    Kind.JOIN: "the same user, from the normalized tables, without HTTP",
    Kind.DOCUMENT: "the same user, as one document, without HTTP",
    Kind.JOIN_OF_50: "50 users in one query",
    Kind.DOCUMENT_OF_50: "50 users in one query",
}
SETTING_NAMES = {
    "fsync_us": "one block made safe on this disk (fdatasync), µs",
    "others_busy": "cores that other programs kept busy at the beginning",
    "users_before": "users in the tables at the beginning",
    "memory_gib": "memory, GiB",
    "tandem": "Tandem",
    "python": "Python",
    **COMPONENT_NAMES,
}


def baselines(loads: Loads) -> list[Content]:
    """The service at saturation beside each baseline."""
    if loads.saturated is None or not loads.baselines:
        return []
    return _side_by_side("Users per second", [loads.saturated, *loads.baselines], loads)


def reads(loads: Loads) -> list[Content]:
    """Reads beside their baselines."""
    return _side_by_side("Reads per second", loads.reads, loads) if loads.reads else []


def staleness(report: Report) -> list[Content]:
    """How often a user was missing when it was read right after its write, and how soon it was there."""
    stale = report.staleness
    if stale is None:
        return []
    fresh = (
        f"Of {stale.users:,} users that were read by id at once after their 201, one by one, "
        f"{stale.missed_share:.1%} were not in MongoDB yet. "
    )
    found = stale.visible_after_ms
    if found is None:
        return [element("p", fresh)]
    soon = f"Half of all were there after {number(found.p50)} ms, 99% after {number(found.p99)} ms."
    return [element("p", fresh, soon)]


def by_load(loads: Loads) -> list[Content]:
    """A table for each load: every number with its median, its least and its most."""
    return [_load_table(each) for each in loads.all]


def run_by_run(report: Report) -> list[Content]:
    """A line for each measurement."""
    columns: dict[str, Callable[[Measurement], str]] = {
        "load": lambda each: each.kind,
        "round": lambda each: str(each.round),
        "instances": lambda each: str(each.instances or ""),
        "connections": lambda each: str(each.connections or ""),
        "due/s": lambda each: number(each.rate_due) if each.rate_due else "",
        "users or reads": lambda each: f"{each.users:,}",
        "seconds": lambda each: number(each.seconds),
        "per second": lambda each: number(rate_of(each)),
        "answer p50, ms": lambda each: milliseconds(each.post_ms, "p50"),
        "answer p99, ms": lambda each: milliseconds(each.post_ms, "p99"),
        "lag p50, ms": lambda each: milliseconds(each.lag_ms, "p50"),
        "lag p99, ms": lambda each: milliseconds(each.lag_ms, "p99"),
        "CPU of all servers, µs": lambda each: number(servers_cpu(each)) if each.cpu_us_per_user else "",
        "cores busy with others": lambda each: "" if each.others_busy is None else f"{each.others_busy:.2f}",
        "answers by status": lambda each: _counts(each.statuses),
        "users by instance": lambda each: _counts(each.users_of_instances),
    }
    lines = [[cell(each) for cell in columns.values()] for each in report.measurements]
    return [table("Every measurement", list(columns), lines)]


def environment(settings: Mapping[str, Any]) -> list[Content]:
    """Where it was measured: a table for each group of settings, and one for all other settings."""
    groups = {name: value for name, value in settings.items() if isinstance(value, dict)}
    alone = [(_setting_name(name), _value(value)) for name, value in settings.items() if name not in groups]
    tables = {
        _setting_name(name): [(SETTING_NAMES.get(key, key), _value(each)) for key, each in group.items()]
        for name, group in groups.items()
    }
    return [table(name, ("setting", "value"), rows) for name, rows in (tables | {"the rest": alone}).items()]


def _side_by_side(caption: str, shown: Sequence[Runs], loads: Loads) -> list[Content]:
    to = {ratio.id.to: ratio for ratio in ratios(loads)}
    # A baseline that ran with several loads counts with its best one, so the ratio is in that line.
    best = {each.key.kind: each for each in sorted(shown, key=lambda each: each.rate.median)}
    rows, cells = [], []
    for each in shown:
        kind, rate, answers = each.key.kind, each.rate, each.typical.post_ms
        owner = f"Tandem: {each.key}" if each.of_service else str(each.key)
        part = Part("", "synchronized" if each.of_service else "other", rate.median)
        rows.append(Bar(owner, [part], number(rate.median)))
        cells.append(
            (
                owner,
                spread(rate),
                spread(to[kind].spread) if kind in to and best[kind] is each else "",
                f"{number(answers.p50)} / {number(answers.p99)}" if answers else "",
                number(each.spread(servers_cpu).median) if servers_cpu(each.typical) else "",
                BASELINES.get(kind, "Tandem, over HTTP"),
            )
        )
    beside = ("ratio of Tandem to it", "answer p50 / p99, ms", "CPU of the servers, µs each", "what it is")
    return [
        element("figure", bars(caption, rows)),
        table(caption, ("load", caption.lower(), *beside), cells),
    ]


def _load_table(runs: Runs) -> Content:
    rows = []
    for metric, values in runs.values().items():
        found = median_with_spread(values)
        rows.append((metric.name, metric.unit, *map(number, (found.median, found.min, found.max))))
    name, repeats = str(runs.key), len(runs.measurements)
    title = f"{name}: {number(runs.rate.median)}/s" + ("" if repeats == 1 else f", {repeats} rounds")
    return details(title, table(name, ("what", "unit", "median", "min", "max"), rows))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


def _setting_name(key: str) -> str:
    return SETTING_NAMES.get(key, component_name(key).replace("_", " ") if key.islower() else key)


def _value(value: object) -> str:
    return "unknown" if value is None else str(value)
