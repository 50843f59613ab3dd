"""The loads of a report, each with its repeats."""

from collections.abc import Callable
from typing import Literal

import msgspec

from tandem_lab.bench.load_kinds import BESIDE_USERS, CHANGES, CONTENDED, CREATES, FLAT_OUT, OF_SERVICE, Kind
from tandem_lab.bench.results import Measurement, Report, highest_rate, is_read, rate_of
from tandem_lab.histogram import LatencyHistogram
from tandem_lab.report.format import number
from tandem_lab.report.metrics import Metric, metrics_of
from tandem_lab.statistics import Spread, jain_index, median_with_spread

#: An open load at this share of the saturation, in percent, counts as half of it.
HALF = range(40, 61)
#: An open load that does less than this share of what is due has fallen behind.
KEPT_UP = 0.95

#: What takes time, by its names in a measurement; and these by its names for people.
Latency = Literal["post_ms", "lag_ms"]
LATENCIES: dict[str, Latency] = {"answer": "post_ms", "lag": "lag_ms"}


class LoadKey(msgspec.Struct, frozen=True):
    """What was asked of the system: equal for repeats, and for the same load in another report.

    A load at a rate is known by its share of the highest rate, in percent: the rate itself differs by report.
    """

    kind: Kind
    instances: int
    connections: int
    percent: int | None = None
    rate: float | None = None
    through_nginx: bool = False
    exponent: float | None = None
    cells: int = 0
    peer: str = ""

    def __str__(self) -> str:
        words = [f"{self.peer}: {load_name(self)}" if self.peer else load_name(self)]
        if self.percent is not None:
            words.append(f"{self.percent}% of {'saturation' if self.kind in CREATES else 'the most'}")
        elif self.rate is not None:
            words.append(f"{self.rate:,.0f} due/s")
        elif self.connections:
            words.append("1 connection" if self.connections == 1 else f"{self.connections} connections")
        if self.cells:
            words.append("1 cell" if self.cells == 1 else f"{self.cells} cells")
        elif self.instances > 1:
            words.append(f"{self.instances} instances")
        elif self.through_nginx:
            words.append("through nginx")
        return ", ".join(words)


def load_name(of: LoadKey | Measurement) -> str:
    """The kind of a load, and how unevenly it was spread."""
    return of.kind if of.exponent is None else f"{of.kind}, Zipf {of.exponent:g}"


class Runs(msgspec.Struct, frozen=True):
    """The repeats of one load, in order."""

    key: LoadKey
    measurements: list[Measurement]

    @property
    def of_service(self) -> bool:
        """Whether this is a load of the service, and not a baseline."""
        return self.key.kind in OF_SERVICE

    @property
    def reads(self) -> bool:
        """Whether users were read, not created."""
        return is_read(self.measurements[0])

    @property
    def conflicts(self) -> float:
        """The share of all tries that were answered 412."""
        counts = [(each.statuses.get("412", 0), sum(each.statuses.values())) for each in self.measurements]
        return sum(conflicts for conflicts, _ in counts) / max(1, sum(tries for _, tries in counts))

    @property
    def rate(self) -> Spread:
        """Users or changes that went all the way, or reads, per second."""
        return self.spread(rate_of)

    @property
    def behind(self) -> str:
        """In words, that it did not do what was due; empty where it did."""
        due, done = self.typical.rate_due, self.rate.median
        if not due or done >= KEPT_UP * due:
            return ""
        return f"fell behind: {number(done)} of {number(due)} due a second, so its times grow with its length"

    @property
    def typical(self) -> Measurement:
        """The repeat whose rate is nearest to the median: used for what has no median."""
        middle = self.rate.median
        return min(self.measurements, key=lambda measurement: abs(rate_of(measurement) - middle))

    @property
    def fairness(self) -> float | None:
        """Jain's index of the users that each instance created, in the least fair round; None if unknown."""
        shares = [list(each.users_of_instances.values()) for each in self.measurements]
        return min((jain_index(of_round) for of_round in shares if of_round), default=None)

    def spread(self, value: Callable[[Measurement], float]) -> Spread:
        """The median and the extremes of any number of a measurement."""
        return median_with_spread([value(measurement) for measurement in self.measurements])

    def milliseconds(self, of: Latency, percentile: str) -> list[float]:
        """A percentile of answers or lags, in each repeat that has it."""
        found = [getattr(each, of) for each in self.measurements]
        return [getattr(each, percentile) for each in found if each is not None]

    def latency(self, of: Latency, percentile: str) -> Spread | None:
        """The median and the extremes of that; None if no repeat has it."""
        found = self.milliseconds(of, percentile)
        return median_with_spread(found) if found else None

    def values(self) -> dict[Metric, list[float]]:
        """Every number, with its value in each repeat that has it."""
        found: dict[Metric, list[float]] = {}
        for measurement in self.measurements:
            for metric, value in metrics_of(measurement).items():
                found.setdefault(metric, []).append(value)
        return found

    def answers(self) -> LatencyHistogram:
        """The latencies of all repeats together."""
        merged = LatencyHistogram()
        for measurement in self.measurements:
            if measurement.post_histogram is not None:
                merged.merge(measurement.post_histogram)
        return merged


class Loads:
    """All loads of a report, in the order of their first run, and the most important of them."""

    def __init__(self, report: Report) -> None:
        found: dict[LoadKey, list[Measurement]] = {}
        for measurement in report.measurements:
            found.setdefault(_key(measurement, report.measurements), []).append(measurement)
        self.report = report
        self.all = [Runs(key, measurements) for key, measurements in found.items()]
        self.reads = [each for each in self.all if each.reads]
        self.baselines = [each for each in self.all if not each.of_service and not each.reads]
        self.commands = [each for each in self.all if not each.reads and each.key.kind not in CONTENDED]
        self.changes = [each for each in self.all if each.key.kind in CHANGES]
        self.contended = [each for each in self.all if each.key.kind in CONTENDED]
        self.beside_users = [each for each in self.all if each.key.kind in BESIDE_USERS]
        self.closed = [each for each in self.all if each.key.kind == Kind.CLOSED]
        self.saturated = self.saturated_with()
        self.half = self._half()

    @property
    def cores(self) -> int:
        """How many cores the machine had; 0 if unknown."""
        return int(self.report.environment.get("machine", {}).get("cores", 0))

    def saturated_with(self, instances: int | None = None) -> Runs | None:
        """The closed load with the most connections: it shows the most that the service can do."""
        closed = [each for each in self.closed if instances in {None, each.key.instances}]
        return max(closed, key=lambda each: (each.key.connections, each.rate.median), default=None)

    def _half(self) -> Runs | None:
        """The open load nearest to half of the saturation, with as many instances."""
        near = [
            each
            for each in self.all
            if each.key.kind == Kind.OPEN
            and each.key.percent in HALF
            and self.saturated is not None
            and each.key.instances == self.saturated.key.instances
        ]
        return min(near, key=lambda each: abs((each.key.percent or 0) - 50), default=None)


def _key(measurement: Measurement, all_measurements: list[Measurement]) -> LoadKey:
    where = (measurement.kind, measurement.instances, measurement.connections)
    percent, rate = None, measurement.rate_due
    if rate is not None and measurement.kind in FLAT_OUT:
        alike = [each for each in all_measurements if _system(each) == _system(measurement)]
        if highest := highest_rate(alike, FLAT_OUT[measurement.kind]):
            percent, rate = round(100 * rate / highest), None
    nginx, exponent = measurement.through_nginx, measurement.exponent
    return LoadKey(*where, percent, rate, nginx, exponent, measurement.cells, measurement.peer)


def _system(of: Measurement) -> tuple[int, bool, str, int]:
    """What has a highest rate of its own. A peer has one in each round, as it is asked for half of that."""
    return of.instances, of.through_nginx, of.peer, of.round if of.peer else 0
