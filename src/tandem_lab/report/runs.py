"""The repeats of one load, which belong together in every table, plot and comparison."""

from collections.abc import Callable, Iterable
from statistics import median

import msgspec

from tandem_lab.bench.load_kinds import CREATES, FLAT_OUT, OF_SERVICE, Kind
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.histogram import LatencyHistogram
from tandem_lab.report.metrics import Metric, is_read, metrics_of, rate_of
from tandem_lab.statistics import Spread, median_with_spread


class LoadKey(msgspec.Struct, frozen=True):
    """What was asked of the system: equal for repeats, and for the same load in another report.

    A load at a rate is known by its share of the most, in percent: that rate is another in each report.
    """

    kind: Kind
    instances: int
    connections: int
    percent: int | None = None
    rate: float | None = None
    through_nginx: bool = False

    def __str__(self) -> str:
        words: list[str] = [self.kind]
        if self.percent is not None:
            words.append(f"{self.percent}% of {'saturation' if self.kind in CREATES else 'the most'}")
        elif self.rate is not None:
            words.append(f"{self.rate:,.0f} due/s")
        elif self.connections:
            words.append("1 connection" if self.connections == 1 else f"{self.connections} connections")
        if self.instances > 1:
            words.append(f"{self.instances} instances")
        elif self.through_nginx:
            words.append("through nginx")
        return ", ".join(words)


class Runs(msgspec.Struct, frozen=True):
    """The repeats of one load, in order."""

    key: LoadKey
    measurements: list[Measurement]

    @property
    def of_service(self) -> bool:
        """Whether it tells of the service, and not of something beside it."""
        return self.key.kind in OF_SERVICE

    @property
    def reads(self) -> bool:
        """Whether users were read, not created."""
        return is_read(self.measurements[0])

    @property
    def rate(self) -> Spread:
        """Users that went all the way, or reads, per second."""
        return self.spread(lambda measurement: rate_of(measurement) or 0.0)

    @property
    def typical(self) -> Measurement:
        """The repeat whose rate is nearest to the median: one that happened, for what has no median."""
        middle = self.rate.median
        return min(self.measurements, key=lambda measurement: abs((rate_of(measurement) or 0.0) - middle))

    def spread(self, value: Callable[[Measurement], float]) -> Spread:
        """Any one number of every repeat, in short."""
        return median_with_spread([value(measurement) for measurement in self.measurements])

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


def runs_of(report: Report) -> list[Runs]:
    """The repeats of each load, in the order in which the loads first came."""
    found: dict[LoadKey, list[Measurement]] = {}
    for measurement in report.measurements:
        found.setdefault(_key(measurement, report.measurements), []).append(measurement)
    return [Runs(key, measurements) for key, measurements in found.items()]


def saturation_runs(runs: Iterable[Runs], instances: int | None = None) -> Runs | None:
    """The closed load with the most connections, which shows the most that the service can do."""
    closed = [
        each for each in runs if each.key.kind == Kind.CLOSED and instances in {None, each.key.instances}
    ]
    return max(closed, key=lambda each: (each.key.connections, each.rate.median), default=None)


def _key(measurement: Measurement, all_measurements: list[Measurement]) -> LoadKey:
    percent, rate = None, measurement.rate_due
    if rate is not None and measurement.kind in FLAT_OUT:
        most = _most(measurement, all_measurements)
        percent, rate = (round(100 * rate / most), None) if most else (None, rate)
    return LoadKey(
        measurement.kind,
        measurement.instances,
        measurement.connections,
        percent,
        rate,
        measurement.through_nginx,
    )


def _most(of: Measurement, measurements: list[Measurement]) -> float | None:
    """What was reached as fast as it went, with the most connections: the median of the rounds."""
    asked = (FLAT_OUT[of.kind], of.instances, of.through_nginx)
    flat_out = [
        each
        for each in measurements
        if (each.kind, each.instances, each.through_nginx) == asked and each.rate_due is None
    ]
    connections = max((each.connections for each in flat_out), default=0)
    rates = [rate_of(each) or 0.0 for each in flat_out if each.connections == connections]
    return median(rates) if rates else None
