"""Medians, comparisons and fairness, on values whose answers are known."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_lab.statistics import Interval, Spread, compare, jain_index, median_with_spread

SHARES = st.lists(st.floats(0, 1e9), min_size=1, max_size=20)


def noisy(mean, repeats, seed, noise=0.03):
    generator = random.Random(seed)
    return [mean * (1 + generator.gauss(0, noise)) for _ in range(repeats)]


def test_a_spread_shows_median_extremes_and_the_interval_of_the_median():
    spread = median_with_spread([9.0, 10.0, 11.0, 10.5, 9.5])
    assert (spread.median, spread.min, spread.max, spread.repeats) == (10.0, 9.0, 11.0, 5)
    assert spread.interval is not None
    assert spread.min <= spread.interval.low < 10.0 < spread.interval.high <= spread.max


def test_more_repeats_make_the_interval_narrower():
    few, many = (median_with_spread(noisy(100, repeats, seed=1)).interval for repeats in (5, 100))
    assert many.high - many.low < few.high - few.low


def test_one_or_two_repeats_have_no_interval():
    assert median_with_spread([7.0]) == Spread(7.0, 7.0, 7.0, 1, None)
    assert median_with_spread([7.0, 9.0]) == Spread(8.0, 7.0, 9.0, 2, None)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")]])
def test_what_has_no_median_is_refused(values):
    with pytest.raises(ValueError, match="value"):
        median_with_spread(values)


def test_the_interval_holds_the_true_median_for_most_seeds():
    held = sum(100 in median_with_spread(noisy(100, 9, seed)).interval for seed in range(40))
    assert held >= 32


def test_a_spread_survives_json():
    spread = median_with_spread([1.0, 2.0, 4.0])
    assert msgspec.json.decode(msgspec.json.encode(spread), type=Spread) == spread


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=8))
def test_the_interval_lies_within_the_values_and_is_the_same_every_time(values):
    spread = median_with_spread(values)
    assert spread.min <= spread.interval.low <= spread.interval.high <= spread.max
    assert median_with_spread(values) == spread


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "more"), (0.7, "less"), (1.0, "within noise")])
def test_a_comparison_tells_a_difference_from_noise(factor, verdict):
    comparison = compare(noisy(1000, 5, seed=1), noisy(1000 * factor, 5, seed=2))
    assert comparison.verdict == verdict
    assert comparison.ratio == pytest.approx(factor, rel=0.05)
    assert comparison.ratio in comparison.interval


def test_equals_are_rarely_called_different():
    verdicts = [compare(noisy(50, 5, seed), noisy(50, 5, seed + 1000)).verdict for seed in range(60)]
    assert verdicts.count("within noise") >= 50


def test_one_or_two_repeats_are_too_few_to_tell():
    comparison = compare([100.0, 101.0], [200.0, 201.0, 202.0])
    assert (comparison.verdict, comparison.interval) == ("too few repeats to tell", None)
    assert comparison.ratio == 2.0


def test_nothing_is_a_multiple_of_zero():
    comparison = compare([0.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    assert (comparison.ratio, comparison.verdict) == (None, "no ratio to zero")
    assert compare([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]).verdict == "less"


def test_negative_values_have_no_ratio():
    with pytest.raises(ValueError, match="not negative"):
        compare([1.0, 2.0, 3.0], [1.0, -2.0, 3.0])


def test_equal_shares_are_perfectly_fair():
    assert jain_index([40.0, 40.0, 40.0]) == pytest.approx(1.0)
    assert jain_index([0.0, 0.0]) == 1.0


def test_one_who_has_everything_leaves_one_part_of_n():
    assert jain_index([120.0, 0.0, 0.0]) == pytest.approx(1 / 3)


def test_fairness_of_a_known_case():
    assert jain_index([1.0, 2.0, 3.0]) == pytest.approx(36 / (3 * 14))


@given(SHARES, st.floats(1e-6, 1e6))
def test_fairness_lies_between_one_part_and_one_in_any_unit(shares, unit):
    assert 1 / len(shares) - 1e-9 <= jain_index(shares) <= 1 + 1e-9
    if min(shares) >= 1e-6:
        assert jain_index([share * unit for share in shares]) == pytest.approx(jain_index(shares))


@pytest.mark.parametrize("shares", [[], [-1.0, 2.0], [float("nan")]])
def test_what_is_no_share_is_refused(shares):
    with pytest.raises(ValueError, match=r"value|share"):
        jain_index(shares)


def test_an_interval_reads_as_a_range():
    assert str(Interval(0.5, 2.0)) == "0.5 to 2"
    assert str(Interval(9.0, None)) == "9 to infinity"
    assert 1e12 in Interval(9.0, None)
