"""Scales, ticks, and what a run's samples say about its course."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_lab.bench.results import Sample
from tandem_lab.report.chart import linear, logarithmic, percentile
from tandem_lab.report.series import lag_ms, rates

SIZES = st.floats(0.001, 1e9)


@given(SIZES)
def test_a_linear_axis_holds_its_values_and_has_few_ticks(most):
    scale = linear(most)
    assert 0 < scale.at(most) <= 1 + 1e-9
    assert 2 <= len(scale.ticks) <= 7
    assert scale.at(scale.ticks[-1][0]) == pytest.approx(1)


@given(SIZES, SIZES)
def test_a_logarithmic_axis_holds_its_values_and_has_few_ticks(one, other):
    scale = logarithmic(min(one, other), max(one, other))
    assert 0 <= scale.at(one) <= 1 + 1e-9
    assert 2 <= len(scale.ticks) <= 14
    assert (scale.at(scale.ticks[0][0]), scale.at(scale.ticks[-1][0])) == (0, pytest.approx(1))


def test_equal_factors_are_equally_far_apart_on_a_logarithmic_axis():
    scale = logarithmic(1, 100)
    assert scale.at(10) == pytest.approx(scale.at(100) - scale.at(10))


def test_each_nine_is_equally_far_on_an_axis_of_percentiles():
    scale = percentile(3)
    assert [scale.at(share) for share in (0, 0.9, 0.99, 0.999)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert scale.at(1) == 1
    assert [label for _, label in scale.ticks] == ["50%", "90%", "99%", "99.9%"]


def test_ticks_are_labelled_in_round_numbers():
    assert [label for _, label in linear(8_700).ticks] == [
        "0",
        "2,000",
        "4,000",
        "6,000",
        "8,000",
        "10,000",
    ]
    assert [label for _, label in logarithmic(1.3, 42).ticks] == ["1", "2", "5", "10", "20", "50"]


def sample_at(seconds, stored, synchronized):
    return Sample(seconds, stored, stored, synchronized, synchronized)


def test_rates_are_the_users_between_two_samples():
    series = [sample_at(1.0, 100, 50), sample_at(3.0, 500, 450)]
    assert rates(series, "stored") == [(0.5, 100.0), (2.0, 200.0)]


def test_lag_is_how_long_ago_as_many_were_stored():
    series = [sample_at(1.0, 100, 0), sample_at(2.0, 200, 150), sample_at(3.0, 200, 200)]
    assert lag_ms(series) == [(2.0, 500.0), (3.0, 0.0)]


def test_lag_grows_while_nothing_is_synchronized():
    series = [sample_at(1.0, 100, 50), sample_at(2.0, 200, 50), sample_at(3.0, 300, 50)]
    assert [lag for _, lag in lag_ms(series)] == [500.0, 1500.0, 2500.0]
