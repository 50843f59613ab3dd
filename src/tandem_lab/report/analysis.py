"""What a report shows: ratios to the baselines, what limits the service, and what makes numbers doubtful."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from typing import Literal

import msgspec

from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.report.metrics import component_name, cpu_by_thread, servers_cpu
from tandem_lab.report.runs import Loads, Runs
from tandem_lab.saturation import saturated_component
from tandem_lab.statistics import Spread, median_with_spread
from tandem_stack.nginx import WORKERS

#: From this many cores kept busy by other programs on, absolute numbers are worse than they should be.
OTHERS_BUSY = 0.2
#: From this difference in cores taken by other programs on, the two sides of a ratio were not measured alike.
UNEVEN = 0.3
#: From this share of its core on, the generator may be what was measured.
GENERATOR_BUSY = 0.8
#: Threads without a core, and cores idle for the disk, that are worth mentioning.
WAITING = 0.1
#: Which read has which baseline.
READ_BASELINES = {
    Kind.BY_EMAIL: Kind.FIND_ONE,
    Kind.DOCUMENT: Kind.JOIN,
    Kind.DOCUMENT_OF_50: Kind.JOIN_OF_50,
}
#: Statuses of requests that were carried out, and of those that expected another version than there was.
NO_FAILURES = {"200", "201", "202", "204", "412"}
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


class Quantity(Enum):
    """By what quantity two loads are compared."""

    USERS_A_SECOND = auto()
    ANSWER_P50 = auto()
    ANSWER_P99 = auto()
    CPU = auto()
    CPU_WITHOUT_NGINX = auto()


#: The percentiles by which answers are compared.
ANSWERS = {Quantity.ANSWER_P50: "p50", Quantity.ANSWER_P99: "p99"}
#: By what several instances are compared with one.
OF_INSTANCES = {
    Quantity.USERS_A_SECOND: "users/s",
    Quantity.CPU: "CPU of a user",
    Quantity.CPU_WITHOUT_NGINX: "CPU but nginx's",
}


class RatioId(msgspec.Struct, frozen=True):
    """Which load is compared with which other load, and by what quantity."""

    of: Kind
    to: Kind
    quantity: Quantity = Quantity.USERS_A_SECOND
    #: How many instances behind nginx are compared with one without nginx; 0 in all other ratios.
    instances: int = 0

    @property
    def name(self) -> str:
        """The name for people. A ratio of the service at saturation does not mention the service."""
        if self.quantity in ANSWERS:
            percentile, clients = ANSWERS[self.quantity], BROWSER_CONNECTIONS
            return f"answer {percentile} at {clients} connections: ratio to “{self.to}, {clients} clients”"
        if self.instances:
            what = OF_INSTANCES[self.quantity]
            return f"{self.instances} behind nginx, {what}: ratio to “one without nginx”"
        to = "create" if self.to is Kind.CLOSED else self.to
        return f"{'' if self.of is Kind.CLOSED else f'{self.of}: '}ratio to “{to}”"


class Ratio(msgspec.Struct, frozen=True):
    """A number divided by that of a baseline, round by round, as both had the same noise in a round.

    `uneven` has the rounds in which other programs took far more from one side than from the other.
    """

    id: RatioId
    rounds: list[float]
    uneven: list[int]

    @property
    def better(self) -> Literal["more", "less"]:
        """Which way is better."""
        return "more" if self.id.quantity is Quantity.USERS_A_SECOND else "less"

    @property
    def spread(self) -> Spread:
        """The median and the extremes of the rounds."""
        return median_with_spread(self.rounds)


def ratios(loads: Loads) -> list[Ratio]:
    """The ratios whose two sides were both measured.

    These are: the service at saturation to each baseline, its answers to pgbench's, changes to creates, reads
    to their baselines, and instances behind nginx to one without.
    """
    return [ratio for ratio in _every_ratio(loads) if ratio.rounds]


def beside_one(instances: int, loads: Loads) -> dict[Quantity, Spread]:
    """So many instances behind nginx as ratios to one without; empty if not both were measured."""
    return {each.id.quantity: each.spread for each in ratios(loads) if each.id.instances == instances}


def limit_of(runs: Runs, loads: Loads) -> str:
    """What keeps this load from going faster, in a sentence or two; empty if that is not known."""
    measurement, cores = runs.typical, loads.cores
    seconds = {
        component_name(name): us * measurement.users / 1e6 for name, us in cpu_by_thread(measurement).items()
    }
    if not cores or not seconds or measurement.seconds <= 0:
        return ""
    if max(_others_busy_at_first(loads.report), measurement.others_busy or 0.0) > OTHERS_BUSY:
        return "What limits it cannot be told while other programs take part of the cores."
    threads = {component_name(name): n for name, n in threads_of(max(1, measurement.instances)).items()}
    limit = saturated_component(seconds, measurement.seconds, cores, threads).sentence
    return limit + _waits(measurement)


def threads_of(instances: int) -> dict[str, int]:
    """Which parts cannot use every core, and how many they can use: one for each thread or process."""
    return {"event-loop": instances, "instances": instances, "nginx": WORKERS, "generator": 1}


def others_busy(report: Report) -> float:
    """The most cores that other programs kept busy: when the measurement began, or in any of its runs."""
    return max([_others_busy_at_first(report), *_others_busy_in_runs(report)])


def failures(report: Report) -> int:
    """Requests that were answered neither as they should nor with a 412."""
    statuses = [answer for each in report.measurements for answer in each.statuses.items()]
    return sum(count for status, count in statuses if status not in NO_FAILURES)


def outdated(report: Report) -> int:
    """Reads that wanted a version and were answered without it."""
    return sum(each.outdated for each in report.own_writes)


def generator_busy(report: Report) -> float:
    """The largest share of its one core that the load generator used."""
    return max((each.generator.busy for each in report.measurements if each.generator), default=0.0)


def warnings(loads: Loads) -> list[str]:
    """What a reader must know before believing any number, in sentences."""
    report = loads.report
    found = [_disturbed(report), *_uneven(loads)] if others_busy(report) > OTHERS_BUSY else []
    if generator_busy(report) >= GENERATOR_BUSY:
        found.append(
            f"The load generator used {generator_busy(report):.0%} of its one core. Near 100% it is the "
            "generator that is measured, not the service. Use fewer connections or a lower rate."
        )
    if failures(report):
        found.append(
            f"{failures(report):,} requests were not answered 201 (or 200, or 204): see the statuses."
        )
    if outdated(report):
        found.append(
            f"{outdated(report):,} reads of one's own writes were answered with an earlier version, or with "
            "none. This must never be: it is an error of the service."
        )
    settings = report.environment.get("postgres", {})
    unsafe = [f"{name} = off" for name in DURABILITY if settings.get(name) == "off"]
    if unsafe:
        found.append(
            f"PostgreSQL ran with {', '.join(unsafe)}: these numbers lack the durability that is promised."
        )
    return found + report.left_out


def _disturbed(report: Report) -> str:
    runs = _others_busy_in_runs(report)
    disturbed = sum(busy > OTHERS_BUSY for busy in runs)
    meanwhile = (
        f", and up to {max(runs):.2f} in {disturbed} of the {len(runs)} runs since" if disturbed else ""
    )
    return (
        f"Other programs kept {_others_busy_at_first(report):.2f} cores busy when this began{meanwhile}: "
        "rates are too low, times and CPU too high. Ratios hold only between loads that need as many cores, "
        "and were disturbed alike."
    )


def _uneven(loads: Loads) -> list[str]:
    """The ratios of which other programs disturbed the two sides differently."""
    # Several ratios have the same instances on both sides: one of them is enough.
    uneven = {ratio.id.instances or ratio.id: ratio for ratio in reversed(ratios(loads)) if ratio.uneven}
    names = "; ".join(
        f"{ratio.id.name} (round {', '.join(map(str, ratio.uneven))})" for ratio in uneven.values()
    )
    return [f"Other programs disturbed the two sides of these unevenly: {names}."] if names else []


def _others_busy_at_first(report: Report) -> float:
    return float(report.environment.get("others_busy", 0.0))


def _others_busy_in_runs(report: Report) -> list[float]:
    return [each.others_busy for each in report.measurements if each.others_busy is not None]


def _waits(measurement: Measurement) -> str:
    """What was ready without a core and what waited for the disk, if it is worth a sentence."""
    waiting = sorted(measurement.waiting_for_core.items(), key=lambda each: -each[1])
    names = [f"{component_name(name)} ({threads:.2g})" for name, threads in waiting if threads >= WAITING]
    found = f" Ready but without a core were, in threads: {', '.join(names)}." if names else ""
    disk = measurement.waiting_for_disk or 0.0
    return found + (
        f" {disk:.2g} cores were idle while something waited for the disk." if disk >= WAITING else ""
    )


def _every_ratio(loads: Loads) -> Iterator[Ratio]:
    """All ratios, in their order. A ratio that was not measured has no rounds."""
    report = loads.report
    if loads.saturated is not None:
        ours = _best_by_round(loads.saturated.measurements)
        for kind in dict.fromkeys(each.key.kind for each in loads.baselines):
            yield _ratio(RatioId(Kind.CLOSED, kind), ours, _best_of(kind, report))
    for quantity, percentile in ANSWERS.items():
        ours, theirs = _browsers(Kind.CLOSED, report), _browsers(Kind.ONE_AT_A_TIME, report)
        ratio_id = RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME, quantity)
        yield _ratio(ratio_id, ours, theirs, partial(_answer_ms, percentile))
    for kind in (Kind.UPDATE, Kind.DELETE):
        yield _ratio(RatioId(kind, Kind.CLOSED), _best_of(kind, report), _best_of(Kind.CLOSED, report))
    yield _ratio(
        RatioId(Kind.AGGREGATE, Kind.USERS_ALIKE),
        _best_of(Kind.AGGREGATE, report),
        _best_of(Kind.USERS_ALIKE, report),
    )
    for kind, to in READ_BASELINES.items():
        yield _ratio(RatioId(kind, to), _best_of(kind, report), _best_of(to, report))
    yield from _every_instances_ratio(loads)


def _every_instances_ratio(loads: Loads) -> Iterator[Ratio]:
    direct = [each for each in loads.closed if each.key.instances == 1 and not each.key.through_nginx][:1]
    values: dict[Quantity, Callable[[Measurement], float]] = {
        Quantity.USERS_A_SECOND: rate_of,
        Quantity.CPU: servers_cpu,
        Quantity.CPU_WITHOUT_NGINX: lambda each: servers_cpu(each) - each.cpu_us_per_user.get("nginx", 0.0),
    }
    for one in direct:
        for each in loads.closed:
            if each.key.through_nginx and each.key.connections == one.key.connections:
                for quantity, value in values.items():
                    ratio_id = RatioId(Kind.CLOSED, Kind.CLOSED, quantity, each.key.instances)
                    ours, theirs = _best_by_round(each.measurements), _best_by_round(one.measurements)
                    yield _ratio(ratio_id, ours, theirs, value)


def _browsers(kind: Kind, report: Report) -> dict[int, Measurement]:
    """A closed load like a browser's, or pgbench with as many clients."""
    wanted = (kind, BROWSER_CONNECTIONS)
    return _best_by_round(each for each in report.measurements if (each.kind, each.connections) == wanted)


def _answer_ms(percentile: str, measurement: Measurement) -> float:
    return float(getattr(measurement.post_ms, percentile, 0.0))


def _ratio(
    ratio_id: RatioId,
    ours: Mapping[int, Measurement],
    theirs: Mapping[int, Measurement],
    value: Callable[[Measurement], float] = rate_of,
) -> Ratio:
    both = [number for number in sorted(ours.keys() & theirs.keys()) if value(theirs[number])]
    rounds = [value(ours[number]) / value(theirs[number]) for number in both]
    return Ratio(ratio_id, rounds, [number for number in both if _is_uneven(ours[number], theirs[number])])


def _is_uneven(one: Measurement, other: Measurement) -> bool:
    """Whether other programs took far more from one than from the other, if that is known of both."""
    return (
        one.others_busy is not None
        and other.others_busy is not None
        and abs(one.others_busy - other.others_busy) > UNEVEN
    )


def _best_of(kind: Kind, report: Report) -> dict[int, Measurement]:
    return _best_by_round(each for each in report.measurements if each.kind == kind)


def _best_by_round(measurements: Iterable[Measurement]) -> dict[int, Measurement]:
    """The fastest of each round: a baseline that was tried with several loads counts with its best."""
    return {each.round: each for each in sorted(measurements, key=rate_of)}
