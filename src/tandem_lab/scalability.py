"""How throughput grows with N: speed-up, and the Universal Scalability Law where the data allow a fit.

X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)), from N. J. Gunther, "Guerrilla Capacity Planning",
Springer, 2007: lambda is the throughput of one, sigma the contention (what only one can do at a time), kappa
the coherency (what every pair must agree on). Inverted, the law is a sum,

    1 / X = d / N + b + c (N - 1)    with    lambda = 1 / (d + b),  sigma = b / (d + b),  kappa = c / (d + b),

so that d, b, c >= 0 is the same as 0 <= sigma <= 1 and kappa >= 0, and the fit needs no iteration.
"""

import random
from collections.abc import Mapping, Sequence
from math import exp, fsum, inf, isfinite, log, sqrt
from statistics import fmean, median

import msgspec

from tandem_lab.least_squares import nonnegative_least_squares
from tandem_lab.statistics import Interval, percentile_interval

RESAMPLES = 1000
PARAMETERS = 3
ENOUGH_DIFFERENT_N = PARAMETERS
#: Two more than parameters, to judge the fit by.
ENOUGH_MEASUREMENTS = PARAMETERS + 2
#: A parameter counts as known, even as zero, if it costs at most this share of throughput at the largest N.
MATERIAL = 0.1
#: A cost below this, in units of the throughput of one, counts as zero.
NEGLIGIBLE = 1e-6
#: A peak beyond this many times the largest N measured is no prediction.
FARTHEST_PEAK = 10

#: Measurements: N and the throughput there, ascending by N.
Points = Sequence[tuple[float, float]]


class Estimate(msgspec.Struct, frozen=True):
    """A parameter with its 95 % interval. If the data do not show it, `value` is None; `reason` says why."""

    value: float | None
    interval: Interval | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.value is None or self.interval is None:
            return f"not identifiable: {self.reason}"
        return f"{self.value:.4g} ({self.interval})"


class Curve(msgspec.Struct, frozen=True, rename={"rate": "lambda"}):
    """The law with its parameters; `rate` is lambda, in the unit of the throughput."""

    rate: float
    sigma: float
    kappa: float

    def throughput(self, n: float) -> float:
        """X(N), for N from 1 on."""
        return self.rate * n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))

    def peak(self) -> float:
        """N* = sqrt((1 - sigma) / kappa), where throughput is highest: at least 1, infinite without kappa."""
        return inf if self.kappa == 0 else max(1.0, sqrt((1 - self.sigma) / self.kappa))


class ScalabilityFit(msgspec.Struct, frozen=True, rename={"rate": "lambda"}):
    """The law fitted to measurements. `curve` is the best fit, for drawing. The estimates are safe to quote.

    `r_squared` is the share of the throughput's variance that the curve explains, None without variance. It
    is near 0 if throughput does not depend on N, even if the curve fits well.
    """

    rate: Estimate
    sigma: Estimate
    kappa: Estimate
    peak: Estimate
    curve: Curve | None = None
    r_squared: float | None = None


class SpeedUp(msgspec.Struct, frozen=True):
    """One row of the table: the median throughput at `n`, divided by that of one, and then by `n`."""

    n: int
    throughput: float
    speed_up: float
    efficiency: float


def speed_up_table(throughputs: Mapping[int, Sequence[float]]) -> list[SpeedUp]:
    """Speed-up and efficiency by N, ascending, from the medians of the repeats.

    The throughput of one is that at the smallest N, divided by N. Measure N = 1 for the usual meaning.

    Raises:
        ValueError: an N is below 1, it has no repeats, or a throughput is not positive.
    """
    _check(throughputs)
    medians = {n: median(throughputs[n]) for n in sorted(throughputs)}
    of_one = next((x / n for n, x in medians.items()), 0.0)
    return [SpeedUp(n, x, x / of_one, x / of_one / n) for n, x in medians.items()]


def fit_scalability(throughputs: Mapping[int, Sequence[float]], seed: int = 0) -> ScalabilityFit:
    """Fit the law to repeats by N, in any one unit of throughput, with 95 % bootstrap intervals.

    The fit minimizes the squares of *relative* errors, because noise grows with throughput. The bootstrap
    resamples the residuals, so one repeat of each N is enough if there are enough N. It is seeded.

    Raises:
        ValueError: an N is below 1, it has no repeats, or a throughput is not positive.
    """
    _check(throughputs)
    points = [(float(n), x) for n in sorted(throughputs) for x in throughputs[n]]
    if len(throughputs) < ENOUGH_DIFFERENT_N or len(points) < ENOUGH_MEASUREMENTS:
        return _nothing_identifiable(
            f"{len(throughputs)} different N and {len(points)} measurements are too few; "
            f"{ENOUGH_DIFFERENT_N} and {ENOUGH_MEASUREMENTS} are the least"
        )
    curve = _fit(points)
    if curve is None:
        return _nothing_identifiable("throughput falls with N faster than the law can; measure a smaller N")
    resamples = _resamples(points, curve, random.Random(seed))  # noqa: S311 - guards nothing
    resampled = [_fit(resample) or curve for resample in resamples]
    largest = points[-1][0]
    slowdown = curve.rate * largest / curve.throughput(largest)
    straight = _straight_line_fits_as_well(points, curve)
    sigmas, kappas = [each.sigma for each in resampled], [each.kappa for each in resampled]
    kappa = _estimate(curve.kappa, kappas, largest * (largest - 1), slowdown, straight)
    return ScalabilityFit(
        rate=Estimate(curve.rate, percentile_interval([each.rate for each in resampled])),
        sigma=_estimate(curve.sigma, sigmas, largest - 1, slowdown, straight),
        kappa=kappa,
        peak=_estimate_peak(curve.peak(), [each.peak() for each in resampled], largest, kappa),
        curve=curve,
        r_squared=_r_squared(points, curve),
    )


def fit_contention(throughputs: Mapping[int, Sequence[float]]) -> Curve:
    """Fit the law without coherency to repeats by N. Two numbers of N are enough: of pairs they say nothing.

    Raises:
        ValueError: an N is below 1, it has no repeats, or a throughput is not positive.
    """
    _check(throughputs)
    points = [(float(n), x) for n in sorted(throughputs) for x in throughputs[n]]
    d, b = nonnegative_least_squares([(x / n, x) for n, x in points], [1.0] * len(points))
    return Curve(rate=1 / (d + b), sigma=b / (d + b), kappa=0.0)


def _fit(points: Points) -> Curve | None:
    """The curve with the least squares of relative errors: x (d/n + b + c (n-1)) is as near to 1 as possible.

    None if only pairs had a cost, because then one alone would be infinitely fast.
    """
    d, b, c = nonnegative_least_squares([(x / n, x, x * (n - 1)) for n, x in points], [1.0] * len(points))
    return Curve(rate=1 / (d + b), sigma=b / (d + b), kappa=c / (d + b)) if d + b > 0 else None


def _resamples(points: Points, curve: Curve, generator: random.Random) -> list[Points]:
    """Possible other measurements: the curve's throughputs with relative errors drawn at random."""
    errors = _errors(points, curve)
    # Residuals are smaller than the true errors, because the curve was fitted to them. Few of them also say
    # little about their spread: Student's t against the normal, by the expansion of Cornish and Fisher.
    freedom = len(points) - PARAMETERS
    widen = sqrt(len(points) / freedom) * (1 + 1.21 / freedom + 1.44 / freedom**2 + 1.3 / freedom**3)
    pool = [widen * (error - fmean(errors)) for error in errors]
    draws = (generator.choices(pool, k=len(points)) for _ in range(RESAMPLES))
    return [
        [(n, curve.throughput(n) * max(1 + error, 0.01)) for (n, _), error in zip(points, drawn, strict=True)]
        for drawn in draws
    ]


def _estimate(best: float, values: Sequence[float], cost: float, slowdown: float, straight: bool) -> Estimate:
    """A parameter, if the data show that it is not zero or that it hardly matters.

    `cost` is the factor of the parameter at the largest N, `slowdown` the whole divisor of the law there.
    """
    interval = percentile_interval(values)
    highest = max(values) if interval.high is None else interval.high
    share = highest * cost / (highest * cost + slowdown)
    if share < MATERIAL:
        return Estimate(best, interval)
    if straight:
        return Estimate(None, interval, f"a straight line fits as well as anything up to {highest:.2g}")
    if interval.low * cost < NEGLIGIBLE:
        return Estimate(None, interval, f"anything from 0 to {highest:.2g} fits")
    return Estimate(best, interval)


def _estimate_peak(best: float, values: Sequence[float], largest: float, kappa: Estimate) -> Estimate:
    """The peak, if kappa is known and the interval of the peak is near the measured N."""
    interval = percentile_interval(values)
    if interval.low > FARTHEST_PEAK * largest:
        known = interval if isfinite(interval.low) else None
        return Estimate(None, known, f"no peak is in sight up to N = {FARTHEST_PEAK * largest:.0f}")
    if kappa.value is None or interval.high is None or interval.high > FARTHEST_PEAK * largest:
        return Estimate(None, interval, f"it is at N = {interval.low:.2g} or beyond")
    return Estimate(best, interval)


def _straight_line_fits_as_well(points: Points, curve: Curve) -> bool:
    """Whether X = rate * N explains all but noise: an F-test of the two other parameters at 5 %.

    For two parameters the 95 % point of the F distribution has a closed form, so the test is a bound for the
    ratio of the squares.
    """
    (per_unit,) = nonnegative_least_squares([(x / n,) for n, x in points], [1.0] * len(points))
    line = Curve(rate=1 / per_unit, sigma=0.0, kappa=0.0)
    freedom = len(points) - PARAMETERS
    return _squares(_errors(points, line)) <= _squares(_errors(points, curve)) * exp(-2 * log(0.05) / freedom)


def _r_squared(points: Points, curve: Curve) -> float | None:
    mean = fmean(x for _, x in points)
    to_explain = _squares([x - mean for _, x in points])
    left = _squares([x - curve.throughput(n) for n, x in points])
    return 1 - left / to_explain if to_explain > 0 else None


def _errors(points: Points, curve: Curve) -> list[float]:
    return [x / curve.throughput(n) - 1 for n, x in points]


def _squares(values: Sequence[float]) -> float:
    return fsum(value * value for value in values)


def _nothing_identifiable(reason: str) -> ScalabilityFit:
    nothing = Estimate(None, None, reason)
    return ScalabilityFit(rate=nothing, sigma=nothing, kappa=nothing, peak=nothing)


def _check(throughputs: Mapping[int, Sequence[float]]) -> None:
    for n, repeats in throughputs.items():
        if n < 1:
            raise ValueError(f"N is {n}; it counts from 1.")
        if not repeats or not all(0 < x < inf for x in repeats):
            raise ValueError(f"Every throughput at N = {n} must be there, positive and finite.")
