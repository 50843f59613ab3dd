"""The course of a run, from its samples: the rate of each stage, and the lag of the last stage."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from tandem_lab.bench.results import Sample
from tandem_lab.report.chart import Point

#: The stages of a run by their names in the data, and by those on Tandem's own page.
STAGES = {
    "accepted": "Accepted",
    "stored": "PostgreSQL",
    "projected": "MongoDB",
    "synchronized": "SYNCRONIZED",
}


def rates(series: Sequence[Sample], stage: str) -> list[Point]:
    """Users per second that reached a stage between two samples, at the time in the middle of both."""
    course = [(0.0, 0), *((sample.seconds, getattr(sample, stage)) for sample in series)]
    return [
        ((begin + end) / 2, (after - before) / (end - begin))
        for (begin, before), (end, after) in pairwise(course)
        if end > begin
    ]


def lag_ms(series: Sequence[Sample]) -> list[Point]:
    """For each sample, how long ago the number of stored users was the number now synchronized, in ms.

    That is the horizontal distance of the two curves. It is zero when all users are synchronized.
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
    """When the count, which is above 0, was reached, with straight lines between the samples."""
    after = bisect_left(counts, count)
    part = (count - counts[after - 1]) / (counts[after] - counts[after - 1])
    return times[after - 1] + part * (times[after] - times[after - 1])
