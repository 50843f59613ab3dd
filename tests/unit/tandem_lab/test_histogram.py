"""The histogram against the sorted list that it stands for."""

from fractions import Fraction
from math import ceil, inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_lab.histogram import HIGHEST_MS, LOWEST_MS, RELATIVE_ERROR, LatencyHistogram, Percentiles

LATENCIES = st.lists(st.floats(LOWEST_MS, HIGHEST_MS), min_size=1, max_size=200)


def histogram_of(latencies):
    histogram = LatencyHistogram()
    for latency in latencies:
        histogram.record(latency)
    return histogram


def true_percentile(latencies, percent):
    rank = max(1, ceil(Fraction(str(percent)) / 100 * len(latencies)))
    return sorted(latencies)[rank - 1]


@given(LATENCIES, st.sampled_from([0, 50, 90, 99, 99.9, 100]))
def test_a_percentile_is_at_most_its_stated_error_off(latencies, percent):
    found = histogram_of(latencies).percentile(percent)
    assert found == pytest.approx(true_percentile(latencies, percent), rel=RELATIVE_ERROR * 1.0001)


def test_the_percentiles_of_a_thousand_have_the_ranks_that_one_expects():
    percentiles = histogram_of(range(1, 1001)).percentiles()
    expected = Percentiles(p50=500, p90=900, p99=990, p99_9=999, max=1000)
    assert msgspec.structs.astuple(percentiles) == pytest.approx(
        msgspec.structs.astuple(expected), rel=RELATIVE_ERROR
    )
    assert percentiles.max == 1000


@given(LATENCIES)
def test_extremes_are_exact(latencies):
    histogram = histogram_of(latencies)
    assert (histogram.min_ms, histogram.max_ms) == (min(latencies), max(latencies))
    assert histogram.percentile(100) == max(latencies)


@given(LATENCIES, LATENCIES)
def test_a_merged_histogram_is_that_of_all_its_latencies(some, others):
    merged = histogram_of(some)
    merged.merge(histogram_of(others))
    assert merged == histogram_of(some + others)


def test_an_empty_histogram_changes_nothing_and_has_no_percentile():
    histogram = histogram_of([3.0])
    histogram.merge(LatencyHistogram())
    assert histogram == histogram_of([3.0])
    assert LatencyHistogram().percentile(50) is None
    assert LatencyHistogram().percentiles() is None


@given(LATENCIES)
def test_a_histogram_survives_json(latencies):
    histogram = histogram_of(latencies)
    assert msgspec.json.decode(msgspec.json.encode(histogram), type=LatencyHistogram) == histogram


def test_many_of_the_same_can_be_recorded_at_once():
    at_once = LatencyHistogram()
    at_once.record(2.5, times=3)
    assert at_once == histogram_of([2.5, 2.5, 2.5])


def test_latencies_beyond_the_range_count_at_its_ends():
    histogram = histogram_of([-0.5, 0.0, 1e-9, 1e9])
    assert histogram.total == 4
    assert len(histogram.counts) == 2
    assert (histogram.min_ms, histogram.max_ms) == (-0.5, 1e9)


def test_the_number_of_buckets_is_bounded():
    histogram = LatencyHistogram()
    latency = LOWEST_MS / 10
    while latency < HIGHEST_MS * 10:
        histogram.record(latency)
        latency *= 1.001
    assert len(histogram.counts) <= 2201


@pytest.mark.parametrize("latency", [nan, inf, -inf])
def test_what_is_no_latency_is_refused(latency):
    with pytest.raises(ValueError, match="cannot be recorded"):
        LatencyHistogram().record(latency)


def test_no_times_and_no_such_percent_are_refused():
    with pytest.raises(ValueError, match="0 times"):
        LatencyHistogram().record(1.0, times=0)
    with pytest.raises(ValueError, match="between 0 and 100"):
        LatencyHistogram().percentile(101)


def test_the_cumulative_shares_rise_to_one():
    points = list(histogram_of([1.0, 1.0, 10.0, 100.0]).cumulative())
    assert [share for _, share in points] == [0.5, 0.75, 1.0]
    assert [latency for latency, _ in points] == pytest.approx([1, 10, 100], rel=RELATIVE_ERROR)
