"""Statistics of repeats: medians with their spread, comparisons with regard to noise, fairness.

Intervals are percentile bootstraps (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993): the
repeats are resampled with replacement, 2,000 times, and the interval is the middle 95 % of the results. The
generator is seeded, so the same values always give the same interval. A bootstrap knows only its values: with
3 repeats the interval is about their whole range, which contains the true median in 3 of 4 cases. It takes 6
repeats until the range contains it in 19 of 20 cases.
"""

import random
from collections.abc import Sequence
from itertools import combinations
from math import ceil, floor, fsum, isfinite, sqrt
from statistics import NormalDist, median
from typing import Literal

import msgspec

RESAMPLES = 2000
CONFIDENCE = 0.95
#: Below this many repeats no interval is given, and no verdict.
ENOUGH_REPEATS = 3

Verdict = Literal["more", "less", "within noise", "too few repeats to tell", "no ratio to zero"]


class Interval(msgspec.Struct, frozen=True):
    """From `low` to `high`, both included. `high` is None if there is no upper bound."""

    low: float
    high: float | None

    def __contains__(self, value: float) -> bool:
        return self.low <= value and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        return f"{self.low:.4g} to {'infinity' if self.high is None else f'{self.high:.4g}'}"


class Spread(msgspec.Struct, frozen=True):
    """A summary of repeats, in their unit. `interval` is that of the median; None below 3 repeats."""

    median: float
    min: float
    max: float
    repeats: int
    interval: Interval | None


class Comparison(msgspec.Struct, frozen=True):
    """How `b` compares with `a`: the ratio of the medians, b / a, and whether it is more than noise."""

    ratio: float | None
    interval: Interval | None
    verdict: Verdict


def percentile_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The middle `confidence` of the values; an infinite upper end becomes None."""
    ordered = sorted(values)
    tail = (1 - confidence) / 2 * (len(ordered) - 1)
    low, high = ordered[floor(tail)], ordered[ceil(len(ordered) - 1 - tail)]
    return Interval(low, high if isfinite(high) else None)


def median_with_spread(values: Sequence[float], seed: int = 0) -> Spread:
    """The median of the repeats, how far they spread, and a 95 % bootstrap interval of the median.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    _check_finite(values)
    interval = None
    if len(values) >= ENOUGH_REPEATS:
        interval = percentile_interval(_resampled_medians(values, random.Random(seed)))  # noqa: S311
    return Spread(median(values), min(values), max(values), len(values), interval)


def compare(a: Sequence[float], b: Sequence[float], seed: int = 0) -> Comparison:
    """Whether `b` is more or less than `a`: the ratio b / a of medians, with its 95 % bootstrap interval.

    The verdict is "more" or "less" only if 1 is not in the interval. With 3 or 4 repeats on each side that
    happens by chance in 1 of 10 comparisons of equals, with 5 or more in 1 of 20. The repeats count as
    independent. If both sides ran in turn, `median_with_spread` of the ratio of each round says more.

    Raises:
        ValueError: one side is empty, or a value is negative or not finite.
    """
    for values in (a, b):
        _check_finite(values)
        if min(values) < 0:
            raise ValueError("A ratio needs values that are not negative.")
    if min(a) == 0:
        return Comparison(None, None, "no ratio to zero")
    ratio = median(b) / median(a)
    if min(len(a), len(b)) < ENOUGH_REPEATS:
        return Comparison(ratio, None, "too few repeats to tell")
    generator = random.Random(seed)  # noqa: S311 - resamples, guards nothing
    medians = zip(_resampled_medians(a, generator), _resampled_medians(b, generator), strict=True)
    interval = percentile_interval([of_b / of_a for of_a, of_b in medians])
    return Comparison(ratio, interval, _verdict(ratio, interval))


def trend(
    points: Sequence[tuple[float, float]], confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """The slope of values over time, each with its time, and its interval; None: too few to have one.

    The median of the slopes of all pairs, which outliers hardly move (H. Theil, 1950). The interval reaches
    from the slope of rank (N - C) / 2 of N to that of (N + C) / 2 + 1, C = z sqrt(n (n - 1) (2n + 5) / 18):
    P. K. Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", JASA 63, 1968. Equal values
    make it wider than need be. Values that depend on those before make it too narrow: a memory that is filled
    in steps may seem to grow for certain.

    Raises:
        ValueError: there are fewer than two times.
    """
    slopes = sorted((b - a) / (t - s) for (s, a), (t, b) in combinations(sorted(points), 2) if t > s)
    if not slopes:
        raise ValueError("At least two times are needed.")
    n, z = len(points), NormalDist().inv_cdf((1 + confidence) / 2)
    width = z * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = floor((len(slopes) - width) / 2) - 1, ceil((len(slopes) + width) / 2)
    return median(slopes), Interval(slopes[low], slopes[high]) if low >= 0 and high < len(slopes) else None


def jain_index(shares: Sequence[float]) -> float:
    """Fairness between instances: 1 if all have the same share, 1/n if one has everything.

    (sum x)^2 / (n sum x^2): R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and
    Discrimination", DEC-TR-301, 1984. Shares may have any unit. If all are zero, that is fair, too.

    Raises:
        ValueError: there are no shares, or one is negative or not finite.
    """
    _check_finite(shares)
    if min(shares) < 0:
        raise ValueError("A share is not negative.")
    largest = max(shares)
    if largest == 0:
        return 1.0
    parts = [share / largest for share in shares]  # squares of huge or tiny shares stay in range
    return fsum(parts) ** 2 / (len(parts) * fsum(part * part for part in parts))


def _verdict(ratio: float, interval: Interval) -> Verdict:
    if 1 in interval:
        return "within noise"
    return "more" if ratio > 1 else "less"


def _resampled_medians(values: Sequence[float], generator: random.Random) -> list[float]:
    return [median(generator.choices(values, k=len(values))) for _ in range(RESAMPLES)]


def _check_finite(values: Sequence[float]) -> None:
    if not values:
        raise ValueError("At least one value is needed.")
    if not all(map(isfinite, values)):
        raise ValueError("Every value must be a finite number.")
