"""What is told of a watched run, from counters of now and the instances' word of a moment ago."""

from datetime import UTC, datetime, timedelta

import pytest

from systems import commands
from tandem.cqrs import SynchronizeUserCommand
from tandem.runs.happenings import Kept
from tandem.runs.in_flight import MOST_RUNS, in_flight_by_run
from tandem.runs.live_run import LiveDatabases, LiveRun
from tandem.runs.samples import CreatorCounts, Life, RunCounters, RunInFlight, Sample, Snapshot

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN_SECOND = int(BEGIN.timestamp())


def take(run, second, stored, synchronized, in_flight=None, *, lags=(), oldest=None, **life):
    """Let the run take in a sample, in which one instance has so much in flight."""
    described = {"waiting": 0, "ready": True, "silent_seconds": 0.5, "connected": True} | life
    lives = [Life(1, "instance-1", BEGIN, in_flight={"run": in_flight or RunInFlight()}, **described)]
    counts = [CreatorCounts("instance-1", stored, synchronized)]
    counters = RunCounters("run", oldest, counts, list(lags), [])
    run.take(counters, Snapshot(BEGIN + timedelta(seconds=second), [counters], lives, oldest))
    return run.event


@pytest.fixture
def run():
    return LiveRun("run", "instance-1")


def test_users_in_flight_count_as_accepted_while_none_is_stored(run):
    take(run, 0, 10, 10)
    assert take(run, 1, 10, 10, RunInFlight(creating=4)).stages.accepted == 14


def test_users_that_were_in_flight_and_are_stored_by_now_are_not_counted_twice(run):
    take(run, 0, 10, 10)
    stages = take(run, 1, 14, 12, RunInFlight(creating=4, writing_back=2)).stages
    assert (stages.accepted, stages.stored, stages.projected, stages.synchronized) == (14, 14, 12, 12)


def test_users_that_mongodb_has_are_projected(run):
    take(run, 0, 10, 0)
    assert take(run, 1, 10, 0, RunInFlight(writing_back=7)).stages.projected == 7


@pytest.mark.parametrize("life", [{"silent_seconds": 2.5}, {"connected": False}])
def test_what_an_instance_had_in_flight_is_forgotten_when_it_falls_silent_or_goes(run, life):
    take(run, 0, 10, 10)
    assert take(run, 1, 10, 10, RunInFlight(creating=4, writing_back=4), **life).stages.accepted == 10


def test_the_lag_of_now_is_that_of_the_users_since_the_last_sample(run):
    assert take(run, 0, 10, 10, lags=[(10, 10)]).lag_ms.now is None
    lag = take(run, 1, 12, 12, lags=[(10, 10), (60, 2)]).lag_ms
    assert lag.now > 100 * lag.p50
    assert take(run, 2, 12, 12, lags=[(10, 10), (60, 2)]).lag_ms.now is None


def test_samples_of_a_run_that_rests_are_not_kept(run):
    kept = []
    for second, stored in enumerate([0, 0, 0, 5, 9, 9, 9, 9, 10]):
        take(run, second, stored, stored)
        kept += [sample.stored for sample in run.worth_keeping]
    assert kept == [0, 5, 9, 9]


def test_of_a_wait_in_which_nothing_else_happens_the_two_ends_are_kept(run):
    kept = []
    for second, (stored, synchronized, oldest) in enumerate(
        [
            (5, 5, None),
            (9, 5, 0.5),
            (9, 5, 1.5),
            (9, 5, 2.5),
            (9, 5, 3.5),
            (9, 9, None),
            (9, 9, None),
            (9, 9, None),
        ]
    ):
        take(run, second, stored, synchronized, oldest=oldest)
        kept += [(sample.at_second, sample.oldest_pending_ms) for sample in run.worth_keeping]
    begin = int(BEGIN.timestamp())
    assert kept == [(begin, 0), (begin + 1, 500), (begin + 4, 3500), (begin + 5, 0)]


def test_where_nobody_is_pending_nobody_has_waited(run):
    assert take(run, 0, 9, 9, oldest=3.0).oldest_pending_seconds is None
    event = take(run, 1, 9, 8, oldest=3.0)
    assert (event.oldest_pending_seconds, event.oldest_pending_of_all_seconds) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("life", "state"),
    [
        ({}, "ready"),
        ({"ready": False}, "busy"),
        ({"silent_seconds": 2.1}, "silent"),
        ({"silent_seconds": 2.1, "connected": False}, "gone"),
    ],
)
def test_an_instances_state_follows_from_its_session_and_its_lease(run, life, state):
    (instance,) = take(run, 0, 1, 1, **life).instances
    assert instance.state == state


def test_an_instance_tells_of_the_runs_with_the_most_users_in_flight_only():
    creating = [command for number in range(40) for command in commands(number + 1, f"run {number}")]
    told = in_flight_by_run(creating, [SynchronizeUserCommand(1, 1, "run 39")], {}, "instance-1")
    assert len(told) == MOST_RUNS
    assert told["run 39"] == RunInFlight(40, 1)
    assert "run 0" not in told


def test_taking_up_ones_own_users_is_no_takeover():
    told = in_flight_by_run([], [], {"run": {"instance-1": 3, "instance-2": 4}}, "instance-1")
    assert told == {"run": RunInFlight(took_over={"instance-2": 4})}


def sampled(run, second, lives, *, kept_seconds=(), pending=0, happenings=()):
    """What the run tells that has happened, after a sample with these lives and kept seconds."""
    samples = [Sample("run", BEGIN_SECOND + kept, 9, 9, 9, 9 - pending, None) for kept in kept_seconds]
    counts = [CreatorCounts("instance-1", 9, 9 - pending)]
    counters = RunCounters("run", None, counts, [], samples, list(happenings))
    run.take(counters, Snapshot(BEGIN + timedelta(seconds=second), [counters], lives))
    run.tell(LiveDatabases.of(postgresql=True, mongodb=True))
    return [one.text for one in run.observe()]


def life(name="instance-1", incarnation=1, silent_seconds=0.5, *, started=-60, connected=True):
    begin = BEGIN + timedelta(seconds=started)
    return Life(incarnation, name, begin, 0, True, silent_seconds, connected, {})


@pytest.mark.parametrize("kept", [(), (0, 1, 2, 3)])
def test_the_death_of_the_instance_that_was_watched_through_is_told_by_the_next(run, kept):
    dead, other = life(silent_seconds=2.0, connected=False), life("instance-2", 7)
    assert sampled(run, 5, [dead, other], kept_seconds=kept, pending=4) == ["instance-1 is gone."]
    assert sampled(run, 6, [dead, other], kept_seconds=kept, pending=4) == []
    assert [one.text for one in run.first_event.happenings] == ["instance-1 is gone."]


def test_it_is_told_when_the_dead_instance_is_back_already(run):
    back = life(incarnation=2, started=4)
    told = sampled(run, 5, [back, life(silent_seconds=2.0)], kept_seconds=[3], pending=4)
    assert told == ["instance-1 is gone.", "instance-1 has started."]


def test_what_the_watcher_before_has_kept_is_not_told_again(run):
    dead = life(silent_seconds=2.0, connected=False)
    other = LiveRun("run", "instance-2")
    sampled(other, 4, [life()], kept_seconds=[3], pending=4)
    kept = [Kept(BEGIN, "observed", "instance-1 is gone.", "gone (-1, 'instance-1', 1)")]
    sampled(run, 5, [dead], kept_seconds=[3], pending=4, happenings=kept)
    assert [one.text for one in run.first_event.happenings] == ["instance-1 is gone."]


@pytest.mark.parametrize(
    ("kept", "pending", "dead"),
    [
        ((), 0, 2.0),  # no run that anybody has watched, or that goes on
        ((), 4, 30.0),  # before the run, as far as is known
        ((0, 1), 0, 900.0),  # long after the run
        ((0, 1), 0, 996.0),  # within a run that nobody had to tell about any more
        ((0, 1), 4, 900.0),  # within a run that goes on, but so long ago that it is no news
        ((999,), 4, 30.0),  # before the last sample, whose watcher has told it
    ],
)
def test_a_death_without_a_gap_in_the_watching_of_a_run_is_not_of_that_run(run, kept, pending, dead):
    dead = life(silent_seconds=dead, connected=False)
    assert sampled(run, 1000, [dead, life("instance-2", 7)], kept_seconds=kept, pending=pending) == []


def test_who_is_frozen_when_the_watching_begins_again_is_not_told_once_more(run):
    frozen = life(silent_seconds=4.0)
    assert sampled(run, 5, [frozen, life("instance-2", 7)], kept_seconds=[3], pending=4) == []
