"""Everything that was measured, in tables: by load, run by run, and where."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.histogram import Percentiles
from tandem_lab.report.analysis import Ratio
from tandem_lab.report.bars import Bar, Part, bars
from tandem_lab.report.format import number, spread
from tandem_lab.report.markup import Content, details, element, table
from tandem_lab.report.metrics import COMPONENT_NAMES, component_name, rate_of, servers_cpu
from tandem_lab.report.runs import Runs, saturation_runs
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


def baselines(runs: Sequence[Runs], ratios: Sequence[Ratio]) -> list[Content]:
    """The service at saturation beside each baseline."""
    saturated = saturation_runs(runs)
    others = [each for each in runs if not each.of_service and not each.reads]
    if saturated is None or not others:
        return []
    return _side_by_side("Users per second", [saturated, *others], ratios)


def reads(runs: Sequence[Runs], ratios: Sequence[Ratio]) -> list[Content]:
    """Reads beside their baselines."""
    shown = [each for each in runs if each.reads]
    return _side_by_side("Reads per second", shown, ratios) if shown else []


def staleness(report: Report) -> list[Content]:
    """How often a user was not there yet when read at once after its write, and how soon it was."""
    stale = report.staleness
    if stale is None:
        return []
    fresh = (
        f"Of {stale.users:,} users that were read by id at once after their 201, one by one, "
        f"{stale.missed_share:.1%} were not in MongoDB yet. "
    )
    found = stale.visible_after_ms
    soon = (
        f"Half of all were there after {number(found.p50)} ms, 99% after {number(found.p99)} ms."
        if found
        else ""
    )
    return [element("p", fresh, soon)]


def by_load(runs: Sequence[Runs]) -> list[Content]:
    """A table for each load: every number with its median, its least and its most."""
    return [_load_table(each) for each in runs]


def run_by_run(report: Report) -> list[Content]:
    """A line for each measurement."""
    header = (
        "load",
        "round",
        "instances",
        "connections",
        "due/s",
        "users or reads",
        "seconds",
        "per second",
        "answer p50, ms",
        "answer p99, ms",
        "lag p50, ms",
        "lag p99, ms",
        "CPU of all servers, µs",
        "cores busy with others",
        "answers by status",
        "users by instance",
    )
    return [table("Every measurement", header, [_line(each) for each in report.measurements])]


def environment(settings: Mapping[str, Any]) -> list[Content]:
    """Where it was measured: a table for what stands alone, and one for each group of settings."""
    alone = [
        (_setting_name(name), _value(value))
        for name, value in settings.items()
        if not isinstance(value, dict) and name != "command"
    ]
    tables = [
        table(
            _setting_name(name),
            ("setting", "value"),
            [(SETTING_NAMES.get(key, key), _value(each)) for key, each in group.items()],
        )
        for name, group in settings.items()
        if isinstance(group, dict)
    ]
    return [*tables, table("the rest", ("setting", "value"), alone)]


def _side_by_side(caption: str, shown: Sequence[Runs], ratios: Sequence[Ratio]) -> list[Content]:
    to = {ratio.id.to: ratio for ratio in ratios}
    # A baseline that ran with several loads counts with its best, so the ratio stands in that line.
    best = {each.key.kind: each for each in sorted(shown, key=lambda each: each.rate.median)}
    styles = {True: "synchronized", False: "other"}
    rows = [
        Bar(_owner(each), [Part("", styles[each.of_service], each.rate.median)], number(each.rate.median))
        for each in shown
    ]
    cells = [
        (
            _owner(each),
            spread(each.rate),
            spread(to[each.key.kind].spread) if each.key.kind in to and best[each.key.kind] is each else "",
            " / ".join(_middle_and_end(each.typical.post_ms)) if each.typical.post_ms else "",
            number(each.spread(servers_cpu).median) if servers_cpu(each.typical) else "",
            BASELINES.get(each.key.kind, "Tandem, over HTTP"),
        )
        for each in shown
    ]
    header = (
        "load",
        caption.lower(),
        "ratio of Tandem to it",
        "answer p50 / p99, ms",
        "CPU of the servers, µs each",
        "what it is",
    )
    return [element("figure", bars(caption, rows)), table(caption, header, cells)]


def _owner(runs: Runs) -> str:
    return f"Tandem: {runs.key}" if runs.of_service else str(runs.key)


def _load_table(runs: Runs) -> Content:
    rows = []
    for metric, values in runs.values().items():
        found = median_with_spread(values)
        rows.append(
            (metric.name, metric.unit, *(number(value) for value in (found.median, found.min, found.max)))
        )
    name = str(runs.key)
    repeats = len(runs.measurements)
    title = f"{name}: {number(runs.rate.median)}/s" + ("" if repeats == 1 else f", {repeats} rounds")
    return details(title, table(name, ("what", "unit", "median", "min", "max"), rows))


def _line(measurement: Measurement) -> tuple[str, ...]:
    rate = rate_of(measurement)
    return (
        measurement.kind,
        str(measurement.round),
        str(measurement.instances or ""),
        str(measurement.connections or ""),
        number(measurement.rate_due) if measurement.rate_due else "",
        f"{measurement.users:,}",
        number(measurement.seconds),
        number(rate) if rate is not None else "",
        *_middle_and_end(measurement.post_ms),
        *_middle_and_end(measurement.lag_ms),
        number(servers_cpu(measurement)) if measurement.cpu_us_per_user else "",
        f"{measurement.others_busy:.2f}" if measurement.others_busy is not None else "",
        ", ".join(f"{status}: {count:,}" for status, count in measurement.statuses.items()),
        ", ".join(f"{name}: {count:,}" for name, count in measurement.users_of_instances.items()),
    )


def _middle_and_end(found: Percentiles | None) -> tuple[str, str]:
    return (number(found.p50), number(found.p99)) if found else ("", "")


def _setting_name(key: str) -> str:
    return SETTING_NAMES.get(key, component_name(key).replace("_", " ") if key.islower() else key)


def _value(value: object) -> str:
    return "unknown" if value is None else str(value)
