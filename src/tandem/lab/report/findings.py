"""What a report comes to: how near to its yardsticks, what limits it, and what makes it doubtful."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tandem.lab.bench.results import Measurement, Report
from tandem.lab.report.metrics import rate_of
from tandem.lab.report.runs import Runs, runs_of, saturation_runs
from tandem.lab.saturation import saturated_component
from tandem.lab.statistics import Spread, median_with_spread
from tandem.local_stack.nginx import WORKERS

#: Cores that other programs keep busy, from which on absolute numbers are too low.
OTHERS_BUSY = 0.2
#: The share of its core from which on the generator may be what was measured.
GENERATOR_BUSY = 0.8
#: An open load at this share of the saturation, in percent, stands for "half".
HALF = range(40, 61)
#: Which read has which yardstick.
READ_YARDSTICKS = {"read by e-mail": "plain find_one", "document in MongoDB": "join in PostgreSQL"}
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Ratio(msgspec.Struct, frozen=True):
    """How fast beside a yardstick, round by round, because what shares a round shares its noise."""

    of: str
    to: str
    rounds: list[float]

    @property
    def name(self) -> str:
        """What is beside what; a ratio of the service at saturation needs no mention of it."""
        return f"{'' if self.of == 'closed' else f'{self.of}: '}ratio to “{self.to}”"

    @property
    def spread(self) -> Spread:
        """The rounds in short."""
        return median_with_spread(self.rounds)


def half_load(runs: Iterable[Runs], instances: int) -> Runs | None:
    """The open load nearest to half of the saturation."""
    near = [
        each
        for each in runs
        if each.key.kind == "open" and each.key.percent in HALF and each.key.instances == instances
    ]
    return min(near, key=lambda each: abs((each.key.percent or 0) - 50), default=None)


def ratios(report: Report) -> list[Ratio]:
    """The service at saturation to each yardstick, then each read to its own."""
    runs = runs_of(report)
    saturated = saturation_runs(runs)
    yardsticks = dict.fromkeys(each.key.kind for each in runs if not each.of_service and not each.reads)
    found = []
    if saturated is not None:
        ours = _best_by_round(saturated.measurements)
        found = [_ratio("closed", ours, kind, report.measurements) for kind in yardsticks]
    for kind, yardstick in READ_YARDSTICKS.items():
        ours = _best_by_round(each for each in report.measurements if each.kind == kind)
        found.append(_ratio(kind, ours, yardstick, report.measurements))
    return [ratio for ratio in found if ratio is not None]


def limit_of(runs: Runs, environment: Mapping[str, Any]) -> str:
    """What keeps this load from going faster, in a sentence or two; nothing if that is not known."""
    measurement = runs.typical
    cores = environment.get("machine", {}).get("cores", 0)
    seconds = {name: us * measurement.users / 1e6 for name, us in measurement.cpu_us_per_user.items()}
    if not cores or not seconds or measurement.seconds <= 0:
        return ""
    if is_disturbed(environment):
        return "What limits it cannot be told while other programs take part of the cores."
    threads = threads_of(max(1, measurement.instances))
    return saturated_component(seconds, measurement.seconds, cores, threads).sentence


def threads_of(instances: int) -> dict[str, int]:
    """Which components cannot use every core, and how many they can: one for each process."""
    return {"instances": instances, "nginx": WORKERS, "generator": 1}


def is_disturbed(environment: Mapping[str, Any]) -> bool:
    """Whether other programs were busy when the measurement began."""
    return float(environment.get("others_busy", 0.0)) > OTHERS_BUSY


def warnings(report: Report) -> list[str]:
    """What a reader must know before believing any number, in sentences."""
    found = []
    if is_disturbed(report.environment):
        found.append(
            f"Other programs kept {float(report.environment['others_busy']):.2f} cores busy when this began: "
            "absolute numbers are too low. Ratios that were measured in turn hold."
        )
    generators = [each.generator for each in report.measurements if each.generator is not None]
    busiest = max((each.busy for each in generators), default=0.0)
    if busiest >= GENERATOR_BUSY:
        found.append(
            f"The load generator used {busiest:.0%} of its one core. Near 100% it is the generator that is "
            "measured, not the service. Use fewer connections or a lower rate."
        )
    failed = sum(_failures(measurement) for measurement in report.measurements)
    if failed:
        found.append(
            f"{failed:,} requests were not answered 201 (or 200, for reads): see the statuses below."
        )
    settings = report.environment.get("postgres", {})
    unsafe = [f"{name} = off" for name, value in UNSAFE.items() if settings.get(name) == value]
    if unsafe:
        found.append(
            f"PostgreSQL ran with {', '.join(unsafe)}: these numbers lack the durability that is promised."
        )
    return found


def _ratio(
    of: str, ours: Mapping[int, float], yardstick: str, measurements: Iterable[Measurement]
) -> Ratio | None:
    theirs = _best_by_round(each for each in measurements if each.kind == yardstick)
    rounds = [ours[number] / theirs[number] for number in sorted(ours) if theirs.get(number)]
    return Ratio(of, yardstick, rounds) if rounds else None


def _best_by_round(measurements: Iterable[Measurement]) -> dict[int, float]:
    """The highest rate of each round: a yardstick that was tried with several loads counts with its best."""
    best: dict[int, float] = {}
    for measurement in measurements:
        best[measurement.round] = max(best.get(measurement.round, 0.0), rate_of(measurement) or 0.0)
    return best


def _failures(measurement: Measurement) -> int:
    return sum(count for status, count in measurement.statuses.items() if status not in {"200", "201"})
