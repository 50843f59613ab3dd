"""Everything that was measured, in tables: by load, run by run, and where."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, OwnWrites, Report, rate_of
from tandem_lab.report.analysis import Quantity, ratios
from tandem_lab.report.chart import Bar, Part, bars
from tandem_lab.report.format import milliseconds, number, spread
from tandem_lab.report.markup import Content, details, element, table
from tandem_lab.report.metrics import COMPONENT_NAMES, component_name, servers_cpu
from tandem_lab.report.runs import Loads, Runs, load_name
from tandem_lab.statistics import median_with_spread

WHAT_IT_IS = {
    Kind.CLOSED: "users are created, over HTTP",
    Kind.AGGREGATE: "by the commands of its trial, over HTTP",
    Kind.USERS_ALIKE: "users of only some fields, so that their events are as large, over HTTP",
    Kind.UPDATE: "a merge patch of one field; each user once",
    Kind.DELETE: "each user once; its history stays",
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
    "bytes_of_its_first_event": "the events that create one, bytes of JSON",
    "bytes_of_created": "the event CREATED of a user beside it, bytes of JSON",
    "fields_of_users": "the fields of these users",
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


def changes(loads: Loads) -> list[Content]:
    """Updates and deletions beside the creation of the same users."""
    if not loads.changes:
        return []
    connections = {each.key.connections for each in loads.changes}
    created = [each for each in loads.closed if each.key.connections in connections]
    shown = sorted([*created, *loads.changes], key=lambda each: -each.key.connections)
    return _side_by_side("Commands per second", shown, loads, "ratio to creating")


def beside_users(loads: Loads) -> list[Content]:
    """An aggregate beside users whose events are as large."""
    shown = loads.beside_users
    return _side_by_side("Created per second", shown, loads, "ratio to users") if shown else []


def reads(loads: Loads) -> list[Content]:
    """Reads beside their baselines."""
    return _side_by_side("Reads per second", loads.reads, loads) if loads.reads else []


def own_writes(report: Report) -> list[Content]:
    """Who answered when a version was read right after its command, and how long MongoDB was waited for."""
    rows: dict[str, Callable[[OwnWrites], str]] = {
        "reads without a wait, and with one": lambda each: f"{each.commands:,}",
        "without a wait: MongoDB": lambda each: f"{1 - each.missed_share:.1%}",
        "without a wait: PostgreSQL, as MongoDB did not have it": lambda each: f"{each.missed_share:.1%}",
        "with a wait: PostgreSQL in the end": lambda each: f"{each.not_waited_out_share:.1%}",
        "with a wait: p50, ms": lambda each: milliseconds(each.wait_ms, "p50"),
        "with a wait: p99, ms": lambda each: milliseconds(each.wait_ms, "p99"),
        "an earlier version, or none": lambda each: str(each.outdated),
    }
    found = report.own_writes
    cells = [(name, *map(cell, found)) for name, cell in rows.items()]
    header = ("what", *(f"after each {each.after}" for each in found))
    return [table("Reads of one's own writes", header, cells)] if found else []


def by_load(loads: Loads) -> list[Content]:
    """A table for each load: every number with its median, its least and its most."""
    return [_load_table(each) for each in loads.all]


def run_by_run(report: Report) -> list[Content]:
    """A line for each measurement."""
    columns: dict[str, Callable[[Measurement], str]] = {
        "load": load_name,
        "round": lambda each: str(each.round),
        "instances": lambda each: str(each.instances or ""),
        "connections": lambda each: str(each.connections or ""),
        "due/s": lambda each: number(each.rate_due) if each.rate_due else "",
        "users, changes or reads": lambda each: f"{each.users:,}",
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


def _side_by_side(
    caption: str, shown: Sequence[Runs], loads: Loads, ratio: str = "ratio of Tandem to it"
) -> list[Content]:
    of_rates = [each for each in ratios(loads) if each.id.quantity is Quantity.USERS_A_SECOND]
    ours = (Kind.CLOSED, Kind.USERS_ALIKE)
    beside = {each.id.of if each.id.to in ours else each.id.to: each for each in of_rates}
    # A baseline that ran with several loads counts with its best one, so the ratio is in that line.
    best = {each.key.kind: each for each in sorted(shown, key=lambda each: each.rate.median)}
    rows, cells = [], []
    for each in shown:
        kind, rate, answers = each.key.kind, each.rate, each.typical.post_ms
        owner = f"Tandem: {each.key}" if each.of_service else str(each.key)
        part = Part("", "measured" if each.of_service else "other", rate.median)
        rows.append(Bar(owner, [part], number(rate.median)))
        cells.append(
            (
                owner,
                spread(rate),
                spread(beside[kind].spread) if kind in beside and best[kind] is each else "",
                f"{number(answers.p50)} / {number(answers.p99)}" if answers else "",
                number(each.spread(servers_cpu).median) if servers_cpu(each.typical) else "",
                "; ".join(filter(None, (WHAT_IT_IS.get(kind, "Tandem, over HTTP"), each.behind))),
            )
        )
    facts = ("answer p50 / p99, ms", "CPU of the servers, µs each", "what it is")
    return [
        element("figure", bars(caption, rows)),
        table(caption, ("load", caption.lower(), ratio, *facts), cells),
    ]


def _load_table(runs: Runs) -> Content:
    rows = []
    for metric, values in runs.values().items():
        found = median_with_spread(values)
        rows.append((metric.name, metric.unit, *map(number, (found.median, found.min, found.max))))
    name, repeats = str(runs.key), len(runs.measurements)
    title = f"{name}: {number(runs.rate.median)}/s" + ("" if repeats == 1 else f", {repeats} rounds")
    title += f"; {runs.behind}" if runs.behind else ""
    return details(title, table(name, ("what", "unit", "median", "min", "max"), rows))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


def _setting_name(key: str) -> str:
    return SETTING_NAMES.get(key, component_name(key).replace("_", " ") if key.islower() else key)


def _value(value: object) -> str:
    return "unknown" if value is None else str(value)
