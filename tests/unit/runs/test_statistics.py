"""Percentiles of the lag from the counts of its buckets."""

import math

import pytest

from tandem.runs.statistics import lag_percentiles


@pytest.mark.parametrize("lag_ms", [1.5, 3, 17.2, 480, 12_345])
def test_a_percentile_is_within_five_percent(lag_ms):
    bucket = math.ceil(math.log(lag_ms) / math.log(1.1))
    percentiles = lag_percentiles([(bucket, 1000)])
    assert percentiles is not None
    assert percentiles.p50 == percentiles.p99 == pytest.approx(lag_ms, rel=0.05)


def test_percentiles_follow_the_ranks():
    percentiles = lag_percentiles([(10, 50), (20, 45), (30, 4), (40, 1)])
    assert percentiles is not None
    assert [percentiles.p50, percentiles.p95, percentiles.p99] == [
        pytest.approx(1.1 ** (bucket - 0.5), abs=0.01) for bucket in (10, 20, 30)
    ]


def test_nobody_has_no_percentiles():
    assert lag_percentiles([]) is None
