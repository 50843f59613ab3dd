"""The fit on curves that are known, without noise and with it, and on data that cannot tell."""

import random

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tandem_lab.scalability import Curve, ScalabilityFit, fit_scalability, speed_up_table

ONE_TO_SIX = (1, 2, 3, 4, 5, 6)
LINEAR = Curve(rate=9000, sigma=0, kappa=0)
AMDAHL = Curve(rate=9000, sigma=0.1, kappa=0)
RETROGRADE = Curve(rate=9000, sigma=0.2, kappa=0.05)


def measured(curve, instances=ONE_TO_SIX, repeats=3, noise=0.0, seed=0):
    generator = random.Random(seed)
    return {
        n: [curve.throughput(n) * (1 + generator.gauss(0, noise)) for _ in range(repeats)] for n in instances
    }


def test_a_retrograde_curve_is_found_with_its_peak():
    fit = fit_scalability(measured(RETROGRADE))
    assert fit.rate.value == pytest.approx(9000)
    assert fit.sigma.value == pytest.approx(0.2)
    assert fit.kappa.value == pytest.approx(0.05)
    assert fit.peak.value == pytest.approx(4.0)
    assert fit.r_squared == pytest.approx(1.0)


def test_amdahls_law_has_no_coherency_and_no_peak():
    fit = fit_scalability(measured(AMDAHL, repeats=1))
    assert fit.sigma.value == pytest.approx(0.1)
    assert fit.kappa.value == pytest.approx(0, abs=1e-9)
    assert str(fit.peak) == "not identifiable: no peak is in sight up to N = 60"


def test_a_straight_line_has_neither_contention_nor_coherency():
    fit = fit_scalability(measured(LINEAR))
    assert fit.sigma.value == pytest.approx(0, abs=1e-9)
    assert fit.kappa.value == pytest.approx(0, abs=1e-9)
    assert fit.peak.value is None


def test_throughput_that_never_grows_is_all_contention():
    fit = fit_scalability({n: [5000.0, 5000.0] for n in ONE_TO_SIX})
    assert fit.sigma.value == pytest.approx(1.0)
    assert fit.kappa.value == pytest.approx(0, abs=1e-9)
    assert fit.r_squared is None


def test_throughput_that_falls_from_the_start_peaks_at_one():
    fit = fit_scalability({1: [100.0, 101.0], 2: [60.0, 59.0], 3: [45.0, 44.0]})
    assert fit.peak.value == 1.0


def test_connections_by_the_hundreds_are_fitted_as_well():
    curve = Curve(rate=500, sigma=0.02, kappa=0.0001)
    fit = fit_scalability(measured(curve, instances=(1, 4, 16, 64, 256), repeats=2))
    assert fit.sigma.value == pytest.approx(0.02)
    assert fit.kappa.value == pytest.approx(0.0001)


@settings(max_examples=12, deadline=None)
@given(st.floats(1, 1e6), st.floats(0, 1), st.floats(0, 0.5))
@example(1.0, 2**-24, 0.5)
def test_any_curve_is_recovered_from_clean_measurements(rate, sigma, kappa):
    fit = fit_scalability(measured(Curve(rate, sigma, kappa), repeats=1))
    assert (fit.curve.rate, fit.curve.sigma) == pytest.approx((rate, sigma), rel=1e-6, abs=1e-8)
    assert fit.curve.kappa == pytest.approx(kappa, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("curve", [LINEAR, AMDAHL, RETROGRADE], ids=["linear", "Amdahl", "retrograde"])
def test_the_intervals_hold_the_truth_for_most_seeds(curve):
    fits = [fit_scalability(measured(curve, noise=0.03, seed=seed)) for seed in range(8)]
    for name in ("rate", "sigma", "kappa"):
        held = sum(getattr(curve, name) in getattr(fit, name).interval for fit in fits)
        assert held >= 6, name


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(st.floats(1, 1e6), min_size=2, max_size=3), min_size=3, max_size=6), st.integers())
def test_whatever_is_measured_no_parameter_leaves_its_range(repeats, seed):
    throughputs = {n + 1: values for n, values in enumerate(repeats)}
    fit = fit_scalability(throughputs, seed)
    assert fit == fit_scalability(throughputs, seed)
    assert fit == msgspec.json.decode(msgspec.json.encode(fit), type=ScalabilityFit)
    if fit.curve is not None:
        assert fit.curve.rate > 0
        assert 0 <= fit.curve.sigma <= 1
        assert fit.curve.kappa >= 0
        assert 0 <= fit.sigma.interval.low <= fit.sigma.interval.high <= 1
        assert 0 <= fit.kappa.interval.low <= fit.kappa.interval.high
        assert fit.peak.value is None or fit.kappa.value is not None


@pytest.mark.parametrize(
    "throughputs", [{}, measured(AMDAHL, (1, 2)), measured(AMDAHL, (1, 2, 3), repeats=1)]
)
def test_too_few_measurements_identify_nothing(throughputs):
    fit = fit_scalability(throughputs)
    assert {estimate.value for estimate in (fit.rate, fit.sigma, fit.kappa, fit.peak)} == {None}
    assert "too few" in str(fit.sigma)
    assert fit.curve is None


def test_noise_in_which_anything_fits_is_not_read_as_a_number():
    fit = fit_scalability(measured(AMDAHL, noise=0.3, seed=3))
    assert str(fit.kappa).startswith("not identifiable: anything from 0 to ")
    assert fit.peak.value is None


def test_a_noisy_line_that_a_straight_line_fits_as_well_tells_nothing_of_its_bend():
    fit = fit_scalability(measured(LINEAR, noise=0.15, seed=1))
    assert str(fit.kappa).startswith("not identifiable: a straight line fits as well as anything up to 0.0")
    assert fit.rate.value is not None


def test_contention_is_told_even_where_coherency_is_not():
    fit = fit_scalability(measured(AMDAHL, noise=0.03, seed=1))
    assert fit.sigma.interval.low > 0.03
    assert fit.sigma.value == pytest.approx(0.1, abs=0.05)
    assert fit.kappa.value is None


def test_throughput_that_falls_faster_than_the_law_can_is_not_fitted():
    fit = fit_scalability({10: [100.0, 101.0], 20: [25.0, 25.0], 40: [6.0, 6.0]})
    assert "faster than the law" in str(fit.kappa)


def test_a_known_parameter_reads_with_its_interval():
    assert str(fit_scalability(measured(RETROGRADE)).sigma) == "0.2 (0.2 to 0.2)"


@pytest.mark.parametrize("throughputs", [{0: [1.0]}, {1: []}, {1: [0.0]}, {1: [float("nan")]}])
def test_what_cannot_have_been_measured_is_refused(throughputs):
    with pytest.raises(ValueError, match="N "):
        fit_scalability(throughputs)
    with pytest.raises(ValueError, match="N "):
        speed_up_table(throughputs)


def test_the_table_shows_speed_up_and_efficiency_of_the_medians():
    rows = speed_up_table({4: [300.0], 1: [90.0, 100.0, 500.0], 2: [180.0]})
    assert [(row.n, row.throughput, row.speed_up, row.efficiency) for row in rows] == [
        (1, 100.0, 1.0, 1.0),
        (2, 180.0, 1.8, 0.9),
        (4, 300.0, 3.0, 0.75),
    ]


def test_without_a_measurement_of_one_the_table_starts_at_the_smallest():
    rows = speed_up_table({2: [200.0], 4: [300.0]})
    assert [(row.speed_up, row.efficiency) for row in rows] == [(2.0, 1.0), (3.0, 0.75)]
