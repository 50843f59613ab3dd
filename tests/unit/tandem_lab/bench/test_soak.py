"""Whether something grows: on courses whose growth is known."""

import random

import pytest

from tandem_lab.bench.soak import SoakPlan, Window, answer, growth_of, parse_duration, verdict
from tandem_lab.statistics import trend

PLAN = SoakPlan(3600, 1700)


def windows(count=60, per_hour=0.0, noise=1.0, jump=0.0, seed=0):
    chance = random.Random(seed)
    names = {"time": ["answer p50", "answer p99"], "memory": ["postgres", "mongodb"]}
    steady = [
        {group: {name: 50 + chance.gauss(0, noise) for name in some} for group, some in names.items()}
        for _ in range(count)
    ]
    grown = [100 + per_hour * n / 60 + chance.gauss(0, noise) - (jump if n < 3 else 0) for n in range(count)]
    return [
        Window(n / 60, figures | {"memory": figures["memory"] | {"instances": grown[n]}})
        for n, figures in enumerate(steady)
    ]


def grows(some):
    return [each.what for each in growth_of(some) if each.is_sure]


def test_growth_is_found_with_an_interval_that_has_the_truth():
    growth = growth_of(windows(per_hour=6.0))
    assert [each.what for each in growth if each.is_sure] == ["memory: instances"]
    found = next(each for each in growth if each.is_sure)
    assert found.low < 6.0 < found.high
    assert verdict(found).startswith("grows by 6.")
    assert "MiB/h (" in verdict(found)
    assert answer(windows(per_hour=6.0), growth, PLAN).startswith(
        "In 59 min, 60 loads of 60 s at 1,700 users/s: memory: instances grows by"
    )


def test_what_falls_is_said_to_fall():
    (found,) = [each for each in growth_of(windows(per_hour=-6.0)) if each.is_sure]
    assert "falls by" in verdict(found)


def test_of_soaks_in_which_nothing_grows_few_seem_to_show_growth():
    wrong = sum(bool(grows(windows(seed=seed))) for seed in range(100))
    assert wrong <= 12  # 5 are expected
    some = windows()
    assert answer(some, growth_of(some), PLAN).endswith("no growth that these could show.")


def test_the_warming_up_counts_for_nothing():
    assert grows(windows(jump=80.0)) == []


def test_few_windows_are_too_few_to_tell():
    for count in (0, 1, 2, 5):
        some = windows(count, per_hour=1000.0)
        assert "too few to tell" in answer(some, growth_of(some), PLAN)


def test_a_trend_is_the_median_of_all_slopes_whatever_outliers_do():
    line = [(float(n), 2.0 * n) for n in range(20)]
    slope, interval = trend([*line[:-3], (17.0, 900.0), (18.0, -700.0), line[-1]])
    assert slope == pytest.approx(2.0)
    assert interval.low <= 2.0 <= interval.high


def test_the_interval_of_a_trend_reaches_between_the_ranks_that_the_article_names():
    # By hand: five points have N = 10 slopes, -0.15, -0.13 ... 0.01, 0.04, and -0.0575, -0.055 in the middle.
    # At 80 % C = 1.282 * sqrt(5 * 4 * 15 / 18) = 5.2, so the ranks are 2.4 and 8.6: outward, 2 and 9.
    points = [(1, 1.26), (2, 1.27), (3, 1.12), (4, 1.16), (5, 1.03)]
    slope, interval = trend(points, 0.8)
    assert slope == pytest.approx(-0.05625)
    assert (interval.low, interval.high) == (pytest.approx(-0.13), pytest.approx(0.01))
    assert trend(points, 0.99)[1] is None


def test_two_values_at_one_time_have_no_trend():
    with pytest.raises(ValueError, match="two times"):
        trend([(1.0, 2.0), (1.0, 3.0)])


def test_durations_are_minutes_or_hours():
    assert [parse_duration(text) for text in ("1m", "90m", "1.5h")] == [60, 5400, 5400]
    for text in ("", "1", "h", "10s", "0.5m", "1000h", "nanh"):
        with pytest.raises(ValueError, match=r"no time like 90m|from one minute"):
            parse_duration(text)
