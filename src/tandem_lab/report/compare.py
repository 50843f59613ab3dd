"""What changed between two reports, and whether it is more than noise."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Report
from tandem_lab.report.analysis import OTHERS_BUSY, others_busy, ratios
from tandem_lab.report.metrics import Metric
from tandem_lab.report.runs import LoadKey, Loads, Runs
from tandem_lab.statistics import ENOUGH_REPEATS, Comparison, Spread, compare, median_with_spread

Judgement = Literal["better", "worse", "within noise", "too few rounds", "no ratio to zero"]

#: So many rounds tell a change from noise well.
GOOD_ROUNDS = 5
#: If this baseline changed, the machine did: its code never changes.
UNCHANGING_BASELINE = Kind.FROZEN_FLOOR
#: What differs in every report, or belongs to the code. Reports of earlier versions have `command` here, too.
NOT_SURROUNDINGS = ("command", "revision", "tandem", "fsync_us", "others_busy", "url")
#: Of rates only the last stage's is compared, of latencies p50 and p99. The others follow, or are noise.
COMPARED = {
    **dict.fromkeys(("users/s", "commands/s"), ("synchronized",)),
    "reads/s": ("read",),
    "ms": ("p50", "p99"),
}


class Change(msgspec.Struct, frozen=True):
    """One number in both reports; `of_service` is false for that of a baseline."""

    load: str
    metric: str
    unit: str
    of_service: bool
    a: Spread
    b: Spread
    comparison: Comparison
    judgement: Judgement


class Differences(msgspec.Struct, frozen=True):
    """All that was compared, the warnings, and the loads that only one report has."""

    warnings: list[str]
    changes: list[Change]
    only_in_a: list[str]
    only_in_b: list[str]
    #: What is missing for more to be told, each with the command that brings it.
    missing: list[str] = []

    @property
    def regressions(self) -> list[Change]:
        """The numbers of the service that got worse beyond noise."""
        return [change for change in self.changes if change.of_service and change.judgement == "worse"]


def compare_reports(a: Report, b: Report) -> Differences:
    """Compare every load that both reports have, over their rounds."""
    loads_a, loads_b = Loads(a), Loads(b)
    runs_a, runs_b = ({runs.key: runs for runs in loads.all} for loads in (loads_a, loads_b))
    changes = [change for key in runs_a if key in runs_b for change in _changes(runs_a[key], runs_b[key])]
    changes += _ratio_changes(loads_a, loads_b)
    found = Differences(
        warnings=_warnings(a, b, changes),
        changes=changes,
        only_in_a=_missing(runs_a, runs_b),
        only_in_b=_missing(runs_b, runs_a),
    )
    return msgspec.structs.replace(found, missing=list(_what_is_missing(found, {"A": a, "B": b})))


def _changes(a: Runs, b: Runs) -> Iterator[Change]:
    values_b = b.values()
    for metric, values in a.values().items():
        if not _is_compared(metric) or metric not in values_b:
            continue
        both = values + values_b[metric]
        # A number that is zero everywhere, like the CPU of an nginx without load, tells nothing.
        if any(both) and min(both) >= 0:
            yield _change(str(a.key), metric, values, values_b[metric], of_service=a.of_service)


def _ratio_changes(a: Loads, b: Loads) -> Iterator[Change]:
    """Ratios to the baselines. Both sides ran in turn, so they hold on a machine that was disturbed."""
    rounds_b = {ratio.id: ratio.rounds for ratio in ratios(b)}
    for ratio in ratios(a):
        if ratio.id in rounds_b:
            metric = Metric(ratio.id.name, "", ratio.better)
            rounds = ratio.rounds, rounds_b[ratio.id]
            yield _change("beside the baselines", metric, *rounds, of_service=True)


def _change(load: str, metric: Metric, a: list[float], b: list[float], *, of_service: bool) -> Change:
    comparison, both = compare(a, b), (median_with_spread(a), median_with_spread(b))
    return Change(load, metric.name, metric.unit, of_service, *both, comparison, _judge(comparison, metric))


def _judge(comparison: Comparison, metric: Metric) -> Judgement:
    match comparison.verdict:
        case "more" | "less":
            return "better" if comparison.verdict == metric.better else "worse"
        case "too few repeats to tell":
            return "too few rounds"
        case verdict:
            return verdict


def _is_compared(metric: Metric) -> bool:
    return metric.better is not None and metric.name.endswith(COMPARED.get(metric.unit, ""))


def _missing(here: Mapping[LoadKey, Runs], there: Mapping[LoadKey, Runs]) -> list[str]:
    return [str(key) for key in here if key not in there]


def _warnings(a: Report, b: Report, changes: list[Change]) -> list[str]:
    settings_a, settings_b = _flat(a.environment), _flat(b.environment)
    found = [
        f"{name} differs: {settings_a.get(name, 'not known')} in A, {settings_b.get(name, 'not known')} in B."
        for name in dict.fromkeys([*settings_a, *settings_b])
        if settings_a.get(name) != settings_b.get(name)
    ]
    found += [
        f"Other programs kept {busy:.2f} cores busy when {name} was measured: look at the ratios."
        for name, busy in (("A", others_busy(a)), ("B", others_busy(b)))
        if busy > OTHERS_BUSY
    ]
    of_baseline = (change for change in changes if change.load.startswith(UNCHANGING_BASELINE))
    if any(change.judgement in {"better", "worse"} for change in of_baseline):
        found.append(
            f"The {UNCHANGING_BASELINE}, whose code never changes, came out different: the machine changed. "
            "Look at the ratios."
        )
    return found


def _what_is_missing(found: Differences, reports: Mapping[str, Report]) -> Iterator[str]:
    """What to measure so that more can be told; in sentences, with commands."""
    lasting = {
        name: max((each.round for each in report.measurements), default=0) for name, report in reports.items()
    }
    few = [name for name, rounds in lasting.items() if rounds < ENOUGH_REPEATS]
    if few and any(change.judgement == "too few rounds" for change in found.changes):
        had = ", ".join(f"{name} has {lasting[name]}" for name in few)
        again = "; ".join(f"{name}: `{_command(reports[name], GOOD_ROUNDS)}`" for name in few)
        yield f"Too few rounds to tell ({had}, and it takes {ENOUGH_REPEATS}). Measure again, {again}."
    if not found.changes:
        a, b = (_command(report) for report in reports.values())
        yield f"Only the same loads can be compared. A was made by `{a}`, B by `{b}`: measure both alike."


def _command(report: Report, rounds: int | None = None) -> str:
    """The command that makes such a report, with so many rounds."""
    words = list(report.command[1:]) or [report.kind]
    if rounds is not None:
        if "--rounds" in words:
            at = words.index("--rounds")
            del words[at : at + 2]
        words += ["--rounds", str(rounds)]
    return shlex.join(["tandem", *words])


def _flat(environment: Mapping[str, Any]) -> dict[str, object]:
    """The environment without what differs anyway, flat, by dotted names."""
    flat: dict[str, object] = {}
    for name, value in environment.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name not in NOT_SURROUNDINGS:
            flat[name] = value
    return flat
