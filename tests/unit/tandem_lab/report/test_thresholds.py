"""Thresholds: how they are written, and what they are held against."""

from statistics import median

import msgspec
import pytest

from reports import baseline, beside_users, changes, closed, over_cells, quiet, reads, sample
from tandem_lab.bench.results import OwnWrites
from tandem_lab.histogram import Percentiles
from tandem_lab.report.runs import Loads
from tandem_lab.report.thresholds import HEADLINES, Threshold, judge, parse_threshold


def with_latency(measurement, p50, p99=0.0, **changes):
    return msgspec.structs.replace(measurement, post_ms=Percentiles(p50, p50, p99, p99, p99), **changes)


def value_of(name, report):
    _, find = HEADLINES[name]
    rounds = find(Loads(report))
    return median(rounds) if rounds else None


def judged(report, text):
    (outcome,) = judge(report, [parse_threshold(text)])
    return outcome


@pytest.mark.parametrize("text", ["lag-p99-at-half<50", " lag-p99-at-half < 50.0 "])
def test_a_threshold_is_a_name_a_comparison_and_a_number(text):
    assert parse_threshold(text) == Threshold("lag-p99-at-half", "<", 50.0)


@pytest.mark.parametrize("text", ["", "lag-p99-at-half", "lag-p99-at-half=50", "lag-p99-at-half<fast", "<50"])
def test_what_is_no_threshold_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="Write one like ratio-to-frozen-floor"):
        parse_threshold(text)


def test_a_name_that_is_none_is_refused_with_all_that_there_are():
    with pytest.raises(ValueError, match="users-per-second, ratio-to-frozen-floor"):
        parse_threshold("speed>=1")


@pytest.mark.parametrize(
    ("comparison", "met"), [(">=1000", True), ("<=1000", True), (">1000", False), ("<1000", False)]
)
def test_every_comparison_means_what_it_says(comparison, met):
    outcome = judged(quiet(*closed([900.0, 1000.0, 1100.0])), f"users-per-second{comparison}")
    assert outcome.met is met
    assert outcome.measured == "1,000 (900 to 1,100) users/s"


@pytest.mark.parametrize(
    ("demand", "met"),
    [(">=900", True), (">900", False), ("<=1100", True), ("<=1099", False), (">=901", False)],
)
def test_the_worst_round_can_be_demanded_instead_of_the_median(demand, met):
    outcome = judged(quiet(*closed([900.0, 1000.0, 1100.0])), f"worst:users-per-second{demand}")
    assert outcome.met is met
    assert outcome.demanded.startswith("worst:users-per-second")


def test_what_was_not_measured_is_missed():
    outcome = judged(quiet(), "users-per-second>=0")
    assert (outcome.met, outcome.measured) == (False, "nothing")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ratio-to-frozen-floor", "frozen floor"),
        ("ratio-to-current-floor", "current floor"),
        ("ratio-to-plain-way", "plain way"),
        ("ratio-to-pgbench", "one at a time in C"),
    ],
)
def test_a_ratio_to_a_baseline_is_taken_round_by_round(name, kind):
    report = quiet(*closed([100.0, 200.0, 300.0]), *baseline(kind, [100.0, 400.0, 1200.0]))
    assert value_of(name, report) == 0.5


@pytest.mark.parametrize("kind", ["update", "delete"])
def test_changes_are_held_against_the_creates_of_their_round(kind):
    report = quiet(*closed([1000.0, 2000.0, 4000.0]), *changes(kind, [700.0, 1000.0, 1000.0]))
    assert value_of(f"ratio-{kind}s-to-creates", report) == 0.5
    assert value_of(f"{kind}s-per-second", report) == 1000.0


def test_an_earlier_version_that_was_read_misses_its_threshold():
    own = [
        OwnWrites(after, 10, 0.5, 0.0, None, outdated) for after, outdated in [("create", 0), ("update", 2)]
    ]
    report = msgspec.structs.replace(quiet(), own_writes=own)
    assert judged(report, "outdated-reads<=0").measured == "2.00"
    assert judged(quiet(), "outdated-reads<=0").measured == "nothing"


def test_an_answer_is_held_against_pgbench_at_as_many_clients():
    ours = with_latency(closed([100.0])[0], 3.0, 20.0, connections=6)
    (theirs,) = baseline("one at a time in C", [100.0])
    report = quiet(
        *closed([1000.0]),
        ours,
        with_latency(theirs, 2.0, 5.0, connections=6),
        with_latency(theirs, 9.0, connections=32),
    )
    assert value_of("answer-p50-to-pgbench", report) == 1.5
    assert value_of("answer-p99-to-pgbench", report) == 4.0


def test_half_of_the_saturation_is_the_open_load_nearest_to_it():
    half = next(each for each in sample().measurements if each.rate_due == 2814.0)
    found = {name: value_of(name, sample()) for name in ("lag-p99-at-half", "answer-p99-at-half")}
    assert found == {"lag-p99-at-half": half.lag_ms.p99, "answer-p99-at-half": half.post_ms.p99}


def test_of_latencies_the_median_of_the_rounds_counts_or_the_worst():
    half = [each for each in sample().measurements if each.rate_due == 2814.0]
    rounds = [with_latency(half[0], 1.0, p99, round=n) for n, p99 in enumerate((7.0, 30.0, 9.0), 1)]
    report = quiet(*closed([5628.0]), *rounds)
    assert judged(report, "answer-p99-at-half<25").measured == "9.00 (7.00 to 30.0) ms"
    assert judged(report, "answer-p99-at-half<25").met
    assert not judged(report, "worst:answer-p99-at-half<25").met
    assert value_of("lag-p99-at-saturation", report) == closed([1.0])[0].lag_ms.p99


def test_reads_have_their_rates_and_ratios():
    report = quiet(
        *(reads(kind, rate) for kind, rate in [("read by e-mail", 900.0), ("plain find_one", 100.0)]),
        msgspec.structs.replace(reads("read by e-mail", 450.0), rate_due=450.0),
        *(reads(kind, rate) for kind, rate in [("document in MongoDB", 50.0), ("join in PostgreSQL", 100.0)]),
    )
    names = ("reads-by-email", "reads-to-find-one", "document-to-join", "reads-by-id")
    assert [value_of(name, report) for name in names] == [900.0, 9.0, 0.5, None]


def test_instances_behind_nginx_are_held_against_one_without_by_their_cpu():
    direct = closed([1000.0], instances=1, cpu_us=60.0)
    three = [
        msgspec.structs.replace(
            each, through_nginx=True, cpu_us_per_user={"instances": 85.0, "postgres": 25.0, "nginx": 15.0}
        )
        for each in closed([2000.0], instances=3)
    ]
    # One without nginx spends 60 us, and 40 of PostgreSQL.
    report = quiet(*direct, *three)
    assert value_of("three-instances-to-one", report) == 0.8
    assert value_of("three-instances-rate-to-one", report) == 2.0
    assert value_of("three-instances-cpu-to-one", report) == 1.25
    assert value_of("three-instances-cpu-without-nginx-to-one", report) == 1.1


def test_the_event_loops_thread_has_a_threshold_of_its_own():
    report = quiet(*(msgspec.structs.replace(each, event_loop_us_per_user=40.0) for each in closed([1000.0])))
    assert judged(report, "cpu-of-event-loop<=40").met
    assert judged(quiet(*closed([1000.0])), "cpu-of-event-loop<=40").measured == "nothing"


def test_cpu_failures_and_disturbance_can_be_demanded_too():
    failing = msgspec.structs.replace(closed([1000.0])[0], statuses={"201": 9, "503": 1}, others_busy=0.7)
    report = quiet(failing)
    names = ("cpu-of-instances", "cpu-of-servers", "failed-requests", "others-busy")
    assert [value_of(name, report) for name in names] == [100.0, 140.0, 1, 0.7]


def test_an_aggregate_is_held_against_users_of_its_size_round_by_round():
    report = beside_users([800.0, 900.0, 1000.0], [1000.0, 1000.0, 500.0])
    assert judged(report, "ratio-aggregate-to-users>=0.8").met
    assert value_of("ratio-aggregate-to-users", report) == 0.9
    assert value_of("ratio-aggregate-to-users", quiet()) is None


def test_the_most_cells_are_held_against_what_the_fewest_predict():
    report = over_cells({1: [600.0], 2: [1200.0], 4: [2000.0]})
    assert value_of("cells-prediction-error", report) == pytest.approx(0.2)
    assert not judged(report, "cells-prediction-error<=0.15").met
    assert value_of("cells-prediction-error", over_cells({1: [600.0], 2: [1200.0]})) is None
