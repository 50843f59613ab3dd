"""What a run's samples tell of its course: the rate of each stage, and how far the last was behind."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from tandem_lab.bench.results import Sample
from tandem_lab.report.chart import Point

STAGES = ("accepted", "stored", "projected", "synchronized")


def rates(series: Sequence[Sample], stage: str) -> list[Point]:
    """Users per second that reached a stage, between each two samples, at the middle of that time."""
    course = [(0.0, 0), *((sample.seconds, getattr(sample, stage)) for sample in series)]
    return [
        ((begin + end) / 2, (after - before) / (end - begin))
        for (begin, before), (end, after) in pairwise(course)
        if end > begin
    ]


def lag_ms(series: Sequence[Sample]) -> list[Point]:
    """At each sample, how long ago as many users were stored as are synchronized by now, in ms.

    That is the horizontal distance of the two curves. Where all are synchronized it is zero.
    """
    times, stored = [0.0], [0]
    points = []
    for sample in series:
        times.append(sample.seconds)
        stored.append(sample.stored)
        if sample.synchronized >= sample.stored:
            points.append((sample.seconds, 0.0))
        elif sample.synchronized > 0:
            points.append(
                (sample.seconds, 1000 * (sample.seconds - _reached(times, stored, sample.synchronized)))
            )
    return points


def _reached(times: Sequence[float], counts: Sequence[int], count: int) -> float:
    """When the count was reached, on straight lines between the samples; it is above 0 and was reached."""
    after = bisect_left(counts, count)
    part = (count - counts[after - 1]) / (counts[after] - counts[after - 1])
    return times[after - 1] + part * (times[after] - times[after - 1])
