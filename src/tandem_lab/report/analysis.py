"""What a report comes to: how near to its baselines, what limits it, and what makes it doubtful."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Literal

import msgspec

from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.report.metrics import component_name, rate_of, servers_cpu
from tandem_lab.report.runs import Runs, runs_of, saturation_runs
from tandem_lab.saturation import saturated_component
from tandem_lab.statistics import Spread, median_with_spread
from tandem_stack.nginx import WORKERS

#: Cores that other programs keep busy, from which on absolute numbers are too low.
OTHERS_BUSY = 0.2
#: Two sides of a ratio from which others took cores this differently were not measured alike.
UNEVEN = 0.3
#: The share of its core from which on the generator may be what was measured.
GENERATOR_BUSY = 0.8
#: Threads without a core, and cores idle for the disk, that are worth mentioning.
WAITING = 0.1
#: An open load at this share of the saturation, in percent, stands for "half".
HALF = range(40, 61)
#: Which read has which baseline.
READ_BASELINES = {
    Kind.BY_EMAIL: Kind.FIND_ONE,
    Kind.DOCUMENT: Kind.JOIN,
    Kind.DOCUMENT_OF_50: Kind.JOIN_OF_50,
}
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Quantity(Enum):
    """What of two loads is compared."""

    USERS_A_SECOND = auto()
    ANSWER_TIME = auto()
    USERS_A_CPU_SECOND = auto()


class RatioId(msgspec.Struct, frozen=True):
    """Which load is set beside which, and what of them is compared."""

    of: Kind
    to: Kind
    quantity: Quantity = Quantity.USERS_A_SECOND
    #: How many instances behind nginx stand beside one that is asked directly; 0: that is not what differs.
    instances: int = 0

    @property
    def name(self) -> str:
        """The same for people; a ratio of the service at saturation needs no mention of it."""
        if self.quantity is Quantity.ANSWER_TIME:
            clients = BROWSER_CONNECTIONS
            return f"answer p50 at {clients} connections: ratio to “{self.to}, {clients} clients”"
        if self.quantity is Quantity.USERS_A_CPU_SECOND:
            return f"{self.instances} behind nginx, users per CPU second: ratio to “one without nginx”"
        return f"{'' if self.of is Kind.CLOSED else f'{self.of}: '}ratio to “{self.to}”"


class Ratio(msgspec.Struct, frozen=True):
    """One number beside that of a baseline, round by round, because what shares a round shares its noise."""

    id: RatioId
    rounds: list[float]
    better: Literal["more", "less"] = "more"

    @property
    def spread(self) -> Spread:
        """The rounds in short."""
        return median_with_spread(self.rounds)


def half_load(runs: Iterable[Runs], instances: int) -> Runs | None:
    """The open load nearest to half of the saturation."""
    near = [
        each
        for each in runs
        if each.key.kind == Kind.OPEN and each.key.percent in HALF and each.key.instances == instances
    ]
    return min(near, key=lambda each: abs((each.key.percent or 0) - 50), default=None)


def ratios(report: Report) -> list[Ratio]:
    """The service at saturation to each baseline, its answers to pgbench's, reads to theirs, many to one."""
    runs = runs_of(report)
    saturated = saturation_runs(runs)
    baselines = dict.fromkeys(each.key.kind for each in runs if not each.of_service and not each.reads)
    found = []
    if saturated is not None:
        ours = _best_by_round(saturated.measurements)
        found = [_ratio(RatioId(Kind.CLOSED, kind), ours, _best_of(kind, report)) for kind in baselines]
    found.append(_answer_ratio(report))
    found += [
        _ratio(RatioId(kind, to), _best_of(kind, report), _best_of(to, report))
        for kind, to in READ_BASELINES.items()
    ]
    return [ratio for ratio in found if ratio is not None] + instances_ratios(runs)


def instances_ratios(runs: Iterable[Runs]) -> list[Ratio]:
    """Users per CPU second of all servers: instances behind nginx beside one that is asked directly."""
    closed = [each for each in runs if each.key.kind == Kind.CLOSED]
    direct = next((each for each in closed if each.key.instances == 1 and not each.key.through_nginx), None)
    if direct is None:
        return []
    own = _by_round(direct.measurements, servers_cpu)
    found = []
    for each in closed:
        if each.key.through_nginx and each.key.connections == direct.key.connections:
            ratio_id = RatioId(Kind.CLOSED, Kind.CLOSED, Quantity.USERS_A_CPU_SECOND, each.key.instances)
            found.append(_ratio(ratio_id, own, _by_round(each.measurements, servers_cpu)))
    return [ratio for ratio in found if ratio is not None]


def limit_of(runs: Runs, environment: Mapping[str, Any]) -> str:
    """What keeps this load from going faster, in a sentence or two; nothing if that is not known."""
    measurement = runs.typical
    cores = environment.get("machine", {}).get("cores", 0)
    seconds = {name: us * measurement.users / 1e6 for name, us in measurement.cpu_us_per_user.items()}
    if not cores or not seconds or measurement.seconds <= 0:
        return ""
    if max(_others_busy_at_first(environment), measurement.others_busy or 0.0) > OTHERS_BUSY:
        return "What limits it cannot be told while other programs take part of the cores."
    threads = threads_of(max(1, measurement.instances))
    limit = saturated_component(seconds, measurement.seconds, cores, threads).sentence
    return limit + _waits(measurement)


def threads_of(instances: int) -> dict[str, int]:
    """Which components cannot use every core, and how many they can: one for each process."""
    return {"instances": instances, "nginx": WORKERS, "generator": 1}


def others_busy(report: Report) -> float:
    """How many cores other programs kept busy at worst: when the measurement began, or in any of its runs."""
    found = [each.others_busy for each in report.measurements if each.others_busy is not None]
    return max([_others_busy_at_first(report.environment), *found])


def failures(report: Report) -> int:
    """Requests that were not answered 201 (or 200, for reads)."""
    return sum(
        count
        for each in report.measurements
        for status, count in each.statuses.items()
        if status not in {"200", "201"}
    )


def generator_busy(report: Report) -> float:
    """The share of its one core that the load generator used at most."""
    return max((each.generator.busy for each in report.measurements if each.generator), default=0.0)


def warnings(report: Report) -> list[str]:
    """What a reader must know before believing any number, in sentences."""
    found = [_disturbed(report), *_uneven(report)] if others_busy(report) > OTHERS_BUSY else []
    if generator_busy(report) >= GENERATOR_BUSY:
        found.append(
            f"The load generator used {generator_busy(report):.0%} of its one core. Near 100% it is the "
            "generator that is measured, not the service. Use fewer connections or a lower rate."
        )
    if failures(report):
        found.append(
            f"{failures(report):,} requests were not answered 201 (or 200, for reads): see the statuses."
        )
    settings = report.environment.get("postgres", {})
    unsafe = [f"{name} = off" for name, value in UNSAFE.items() if settings.get(name) == value]
    if unsafe:
        found.append(
            f"PostgreSQL ran with {', '.join(unsafe)}: these numbers lack the durability that is promised."
        )
    return found + report.left_out


def _disturbed(report: Report) -> str:
    first = _others_busy_at_first(report.environment)
    runs = [each.others_busy for each in report.measurements if each.others_busy is not None]
    disturbed = sum(busy > OTHERS_BUSY for busy in runs)
    meanwhile = (
        f", and up to {max(runs):.2f} in {disturbed} of the {len(runs)} runs since" if disturbed else ""
    )
    return (
        f"Other programs kept {first:.2f} cores busy when this began{meanwhile}: absolute numbers are too "
        "low. Ratios hold where both sides were disturbed alike."
    )


def _uneven(report: Report) -> list[str]:
    """The rounds in which other programs disturbed the service and a baseline differently."""
    runs = runs_of(report)
    saturated = saturation_runs(runs)
    if saturated is None:
        return []
    ours = {each.round: each.others_busy for each in saturated.measurements}
    theirs = [
        each for runs_ in runs if not runs_.of_service and not runs_.reads for each in runs_.measurements
    ]
    uneven = dict.fromkeys(
        f"{each.kind} in round {each.round}"
        for each in theirs
        if abs((each.others_busy or 0.0) - (ours.get(each.round) or 0.0)) > UNEVEN
    )
    return (
        [f"Other programs disturbed the service and these unevenly: {', '.join(uneven)}."] if uneven else []
    )


def _others_busy_at_first(environment: Mapping[str, Any]) -> float:
    return float(environment.get("others_busy", 0.0))


def _waits(measurement: Measurement) -> str:
    """Who was ready and had no core, and what waited for the disk, where that is worth a sentence."""
    waiting = {
        component_name(name): threads
        for name, threads in measurement.waiting_for_core.items()
        if threads >= WAITING
    }
    names = ", ".join(
        f"{name} ({threads:.2g})" for name, threads in sorted(waiting.items(), key=lambda each: -each[1])
    )
    found = f" Ready but without a core were, in threads: {names}." if names else ""
    disk = measurement.waiting_for_disk or 0.0
    return found + (
        f" {disk:.2g} cores were idle while something waited for the disk." if disk >= WAITING else ""
    )


def _answer_ratio(report: Report) -> Ratio | None:
    """How long a browser waits for its answer, beside pgbench with as many clients: the p50."""
    here = [each for each in report.measurements if each.connections == BROWSER_CONNECTIONS]
    ours, theirs = (
        _by_round(
            [each for each in here if each.kind == kind],
            lambda each: each.post_ms.p50 if each.post_ms is not None else 0.0,
        )
        for kind in (Kind.CLOSED, Kind.ONE_AT_A_TIME)
    )
    ratio_id = RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_TIME)
    return _ratio(ratio_id, ours, theirs, better="less")


def _ratio(
    ratio_id: RatioId,
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
    better: Literal["more", "less"] = "more",
) -> Ratio | None:
    rounds = [ours[number] / theirs[number] for number in sorted(ours) if theirs.get(number)]
    return Ratio(ratio_id, rounds, better) if rounds else None


def _best_of(kind: Kind, report: Report) -> dict[int, float]:
    return _best_by_round(each for each in report.measurements if each.kind == kind)


def _best_by_round(measurements: Iterable[Measurement]) -> dict[int, float]:
    """The highest rate of each round: a baseline that was tried with several loads counts with its best."""
    best: dict[int, float] = {}
    for measurement in measurements:
        best[measurement.round] = max(best.get(measurement.round, 0.0), rate_of(measurement) or 0.0)
    return best


def _by_round(measurements: Iterable[Measurement], value: Callable[[Measurement], float]) -> dict[int, float]:
    return {each.round: value(each) for each in measurements}
