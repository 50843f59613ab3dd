"""What a report shows: ratios to the baselines, what limits the service, and what makes numbers doubtful."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Literal

import msgspec

from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.results import Measurement, Report, rate_of
from tandem_lab.report.metrics import component_name, servers_cpu
from tandem_lab.report.runs import Loads, Runs
from tandem_lab.saturation import saturated_component
from tandem_lab.statistics import Spread, median_with_spread
from tandem_stack.nginx import WORKERS

#: From this many cores kept busy by other programs on, absolute numbers are too low.
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
NO_FAILURES = {"200", "201", "204", "412"}
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")


class Quantity(Enum):
    """By what quantity two loads are compared."""

    USERS_A_SECOND = auto()
    ANSWER_TIME = auto()
    USERS_A_CPU_SECOND = auto()


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
        if self.quantity is Quantity.ANSWER_TIME:
            clients = BROWSER_CONNECTIONS
            return f"answer p50 at {clients} connections: ratio to “{self.to}, {clients} clients”"
        if self.quantity is Quantity.USERS_A_CPU_SECOND:
            return f"{self.instances} behind nginx, users per CPU second: ratio to “one without nginx”"
        to = "create" if self.to is Kind.CLOSED else self.to
        return f"{'' if self.of is Kind.CLOSED else f'{self.of}: '}ratio to “{to}”"


class Ratio(msgspec.Struct, frozen=True):
    """A number divided by that of a baseline, round by round, as both had the same noise in a round."""

    id: RatioId
    rounds: list[float]

    @property
    def better(self) -> Literal["more", "less"]:
        """Which way is better."""
        return "less" if self.id.quantity is Quantity.ANSWER_TIME else "more"

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


def instances_ratios(loads: Loads) -> list[Ratio]:
    """Users per CPU second of all servers: instances behind nginx to one without."""
    return [ratio for ratio in ratios(loads) if ratio.id.quantity is Quantity.USERS_A_CPU_SECOND]


def limit_of(runs: Runs, loads: Loads) -> str:
    """What keeps this load from going faster, in a sentence or two; empty if that is not known."""
    measurement, cores = runs.typical, loads.cores
    seconds = {name: us * measurement.users / 1e6 for name, us in measurement.cpu_us_per_user.items()}
    if not cores or not seconds or measurement.seconds <= 0:
        return ""
    if max(_others_busy_at_first(loads.report), measurement.others_busy or 0.0) > OTHERS_BUSY:
        return "What limits it cannot be told while other programs take part of the cores."
    threads = threads_of(max(1, measurement.instances))
    limit = saturated_component(seconds, measurement.seconds, cores, threads).sentence
    return limit + _waits(measurement)


def threads_of(instances: int) -> dict[str, int]:
    """Which components cannot use every core, and how many they can use: one for each process."""
    return {"instances": instances, "nginx": WORKERS, "generator": 1}


def others_busy(report: Report) -> float:
    """The most cores that other programs kept busy: when the measurement began, or in any of its runs."""
    return max([_others_busy_at_first(report), *_others_busy_in_runs(report)])


def failures(report: Report) -> int:
    """Requests that were answered neither as they should nor with a 412."""
    statuses = [answer for each in report.measurements for answer in each.statuses.items()]
    return sum(count for status, count in statuses if status not in NO_FAILURES)


def outdated(report: Report) -> int | None:
    """Reads that wanted a version and were answered without it; None if there were no such reads."""
    return sum(each.outdated for each in report.own_writes) if report.own_writes else None


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
        "absolute numbers are too low. Ratios hold where both sides were disturbed alike."
    )


def _uneven(loads: Loads) -> list[str]:
    """The rounds in which other programs disturbed the service and a baseline differently."""
    if loads.saturated is None:
        return []
    ours = _by_round(loads.saturated.measurements, _others)
    uneven = dict.fromkeys(
        f"{each.kind} in round {each.round}"
        for runs in (*loads.baselines, *loads.changes)
        for each in runs.measurements
        if abs(_others(each) - ours.get(each.round, 0.0)) > UNEVEN
    )
    names = ", ".join(uneven)
    return [f"Other programs disturbed the service and these unevenly: {names}."] if uneven else []


def _others(measurement: Measurement) -> float:
    return measurement.others_busy or 0.0


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
    # How long a browser waits for its answer, and pgbench with as many clients.
    ours, theirs = (
        _by_round(
            [
                each
                for each in report.measurements
                if (each.kind, each.connections) == (kind, BROWSER_CONNECTIONS)
            ],
            lambda each: each.post_ms.p50 if each.post_ms is not None else 0.0,
        )
        for kind in (Kind.CLOSED, Kind.ONE_AT_A_TIME)
    )
    yield _ratio(RatioId(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_TIME), ours, theirs)
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
    for one in direct:
        for each in loads.closed:
            if each.key.through_nginx and each.key.connections == one.key.connections:
                ratio_id = RatioId(Kind.CLOSED, Kind.CLOSED, Quantity.USERS_A_CPU_SECOND, each.key.instances)
                # Users per CPU second are one divided by the CPU of a user, so the two sides change places.
                yield _ratio(ratio_id, *(_by_round(runs.measurements, servers_cpu) for runs in (one, each)))


def _ratio(ratio_id: RatioId, ours: Mapping[int, float], theirs: Mapping[int, float]) -> Ratio:
    return Ratio(ratio_id, [ours[number] / theirs[number] for number in sorted(ours) if theirs.get(number)])


def _best_of(kind: Kind, report: Report) -> dict[int, float]:
    return _best_by_round(each for each in report.measurements if each.kind == kind)


def _best_by_round(measurements: Iterable[Measurement]) -> dict[int, float]:
    """The highest rate of each round: a baseline that was tried with several loads counts with its best."""
    return _by_round(sorted(measurements, key=rate_of), rate_of)


def _by_round(measurements: Iterable[Measurement], value: Callable[[Measurement], float]) -> dict[int, float]:
    return {each.round: value(each) for each in measurements}
