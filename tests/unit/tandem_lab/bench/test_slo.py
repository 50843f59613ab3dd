"""The search for the highest rate that holds limits, on systems whose answer is known."""

import random

import pytest

from tandem_lab.bench.mix import Observed, parse_mix
from tandem_lab.bench.slo import (
    HIGHEST,
    LOWEST,
    STEP,
    Found,
    Step,
    answer,
    highest_rate_that_holds,
    misses,
    parse_slo,
    seconds_for,
)
from tandem_lab.histogram import Percentiles

BOUNDS = parse_slo("lag_p99<50ms, post_p99<25ms")


def observed(post_p99=10.0, lag_p99=20.0, rate=100.0, **changes):
    ms = {"post": Percentiles(5, 7, post_p99, 2 * post_p99, 100), "lag": Percentiles(9, 15, lag_p99, 90, 100)}
    usual = {"seconds": 5.0, "per_second": {"create": rate}, "errors": 0.0, "late_seconds": 0.0}
    return Observed(rate=rate, ms=ms, **usual | changes)


class System:
    """One that holds rates up to `capacity`, but for a share of measurements that chance decides."""

    def __init__(self, capacity, noise=0.0, seed=0):
        self.capacity, self.noise, self.chance = capacity, noise, random.Random(seed)
        self.measured = []

    async def holds(self, rate):
        self.measured.append(rate)
        return self.chance.random() < 0.5 if self.chance.random() < self.noise else rate <= self.capacity


@pytest.mark.parametrize("capacity", [80, 400, 999, 1000, 1800, 7900])
async def test_the_rate_that_is_found_holds_and_a_step_more_does_not(capacity):
    system = System(capacity)
    found = await highest_rate_that_holds(system.holds, 1000)
    assert found.rate <= capacity < found.missed_at <= 1.01 * STEP * found.rate
    assert system.measured[-2:] == [found.rate] * 2
    assert system.measured.count(found.missed_at) == 2
    assert len(system.measured) < 30


@pytest.mark.parametrize("seed", range(20))
async def test_noise_does_not_lift_the_answer_above_what_holds_in_two_measurements_more(seed):
    system = System(1500, noise=0.2, seed=seed)
    found = await highest_rate_that_holds(system.holds, 1000)
    assert system.measured[-2:] == [found.rate] * 2
    assert found.rate <= 1500 * STEP**2


async def test_one_measurement_that_was_disturbed_does_not_lower_the_answer():
    for disturbed in range(8):
        system, count = System(1500), 0

        async def holds(rate, system=system, disturbed=disturbed):
            nonlocal count
            count += 1
            return await system.holds(rate) and count != disturbed + 1

        found = await highest_rate_that_holds(holds, 1000)
        assert found.rate <= 1500 < found.missed_at * STEP


async def test_the_search_ends_where_nothing_holds_and_where_all_does():
    never, always = System(0), System(1e9)
    assert (await highest_rate_that_holds(never.holds, 1000)).rate is None
    assert min(never.measured) >= 1000 * LOWEST
    found = await highest_rate_that_holds(always.holds, 1000)
    assert found == Found(1000 * HIGHEST, None)


def test_limits_are_read_in_their_units_and_hold_below():
    assert [bound.most for bound in parse_slo("post_p50<500us, lag_p999<=2s,errors<0.1%")] == [
        0.5,
        2000,
        0.001,
    ]
    assert misses(BOUNDS, observed()) == []
    assert misses(BOUNDS, observed(lag_p99=71.0)) == ["lag_p99 was 71 ms"]
    assert misses(BOUNDS, observed(post_p99=25.0)) == ["post_p99 was 25 ms"]
    assert misses(parse_slo("update_p99<1s"), observed()) == ["update_p99 was not measured"]
    assert misses(parse_slo("post_p999<19ms"), observed()) == ["post_p999 was 20 ms"]


def test_failures_and_falling_behind_are_missed_though_nobody_asked():
    assert misses(BOUNDS, observed(errors=0.002)) == ["errors was 0.200%"]
    assert misses(parse_slo("errors<1%"), observed(errors=0.002)) == []
    assert misses(BOUNDS, observed(late_seconds=0.5)) == ["answers were 0.5 s late in the end"]
    assert misses(BOUNDS, observed(arrived=0.7)) == ["only 70% reached the second store in time"]


@pytest.mark.parametrize(
    "text",
    ["", "lag_p98<1ms", "lag_p99<1", "lag_p99", "errors<1ms", "post_p99<0ms", "post_p99<-1ms", "lag_p99>1s"],
)
def test_what_is_no_limit_is_refused_with_the_names_that_there_are(text):
    with pytest.raises(ValueError, match="post_p99, post_p999, lag_p50"):
        parse_slo(text)


def test_a_step_lasts_until_ten_requests_are_beyond_the_percentile_or_a_minute():
    shares = parse_mix("create=3,read=1")
    assert seconds_for(BOUNDS, 1000, {"create": 1.0}, 5) == 5
    assert seconds_for(BOUNDS, 50, {"create": 1.0}, 5) == 20
    assert seconds_for(parse_slo("read_p99<1ms"), 200, shares, 5) == 20
    assert seconds_for(parse_slo("post_p999<1ms"), 10, {"create": 1.0}, 5) == 60


def test_the_answer_is_a_sentence_with_what_was_missed_above():
    steps = [Step(observed(rate=3600.0, lag_p99=71.0), ["lag_p99 was 71 ms"])]
    said = answer(BOUNDS, Found(3400, 3600), steps, "users")
    assert said == "3,400 users/s hold lag_p99<50ms, post_p99<25ms; at 3,600 lag_p99 was 71 ms."
    said = answer(BOUNDS, Found(None, 3600), steps, "users")
    assert said == "Not even 3,600 users/s hold lag_p99<50ms, post_p99<25ms: lag_p99 was 71 ms."
    assert "more was not tried" in answer(BOUNDS, Found(16000, None), [], "users")


def test_shares_of_a_mix_are_parts_of_one():
    assert parse_mix("create=60, update=20,read=20") == {"create": 0.6, "update": 0.2, "read": 0.2}
    assert parse_mix("create=0,read=5") == {"read": 1.0}


@pytest.mark.parametrize("text", ["", "create", "delete=1", "create=1,create=2", "create=0", "create=-1"])
def test_what_is_no_mix_is_refused(text):
    with pytest.raises(ValueError, match=r"create=60|above 0"):
        parse_mix(text)
