"""Lag from outside: the horizontal distance of two curves, by hand-made acknowledgements and arrivals."""

import asyncio
import time
from contextlib import suppress

import pytest

from tandem_lab.bench.arrivals import Arrivals, Seen, arrival_times, lags_ms, mean_lag_ms


def test_arrivals_between_two_looks_are_spread_evenly_over_the_time_between():
    seen = [Seen(10.0, 0), Seen(10.1, 0), Seen(10.2, 2), Seen(10.3, 6)]
    assert arrival_times(seen, 6) == pytest.approx([10.15, 10.2, 10.225, 10.25, 10.275, 10.3])


def test_no_more_arrive_than_were_acknowledged():
    assert len(arrival_times([Seen(1.0, 0), Seen(2.0, 9)], users=4)) == 4


def test_a_count_that_falls_takes_back_nobody_and_doubles_nobody():
    seen = [Seen(1.0, 0), Seen(2.0, 4), Seen(3.0, 2), Seen(4.0, 6)]
    times = arrival_times(seen, 10)
    assert len(times) == 6
    assert times == sorted(times)
    assert times[3] == 2.0


def test_the_lag_is_the_distance_of_the_curves():
    acknowledged, arrived = [1.0, 1.1, 1.2, 1.3], [1.5, 1.6, 1.7]
    assert lags_ms(acknowledged, arrived) == pytest.approx([500, 500, 500])
    assert mean_lag_ms(acknowledged, arrived) == pytest.approx(500)


def test_who_arrives_before_the_answer_has_no_lag_but_counts_in_the_mean():
    acknowledged, arrived = [1.0, 1.1], [0.9, 1.15]
    assert lags_ms(acknowledged, arrived) == pytest.approx([0, 50])
    assert mean_lag_ms(acknowledged, arrived) == pytest.approx(-25)


def test_the_mean_knows_no_order():
    """Two users, of whom the second overtakes the first: 90 and 10 ms, which look like 50 and 50."""
    acknowledged, arrived = [0.0, 0.04], [0.05, 0.09]
    assert lags_ms(acknowledged, arrived) == pytest.approx([50, 50])
    assert mean_lag_ms(acknowledged, arrived) == pytest.approx((90 + 10) / 2)


def test_where_nobody_arrives_there_is_no_lag():
    assert lags_ms([1.0], []) == []
    assert mean_lag_ms([1.0], []) is None


async def test_a_store_is_asked_all_the_time_and_counts_from_what_it_had():
    began, stored = time.monotonic(), 100

    async def done() -> int:
        return stored

    arrivals = Arrivals(done, before=100)
    async with arrivals.watched():
        while not arrivals.seen:
            await asyncio.sleep(0.001)
        stored = 103
        while arrivals.users < 3:
            await asyncio.sleep(0.001)
    assert {each.users for each in arrivals.seen} == {0, 3}
    times = arrival_times(arrivals.seen, 3)
    assert began < times[0] < times[-1] < time.monotonic()


async def test_a_store_that_fails_ends_the_measurement():
    async def done() -> int:
        raise ConnectionError("no store")

    with pytest.raises(ConnectionError, match="no store"):
        async with Arrivals(done, 0).watched():
            await asyncio.sleep(60)


async def test_a_store_that_swallows_a_cancellation_does_not_keep_the_measurement():
    """As PyMongo may do with Python 3.11."""

    async def done() -> int:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return 1

    arrivals = Arrivals(done, 0)
    async with asyncio.timeout(30), arrivals.watched():
        await asyncio.sleep(0)
    assert arrivals.users == 1
