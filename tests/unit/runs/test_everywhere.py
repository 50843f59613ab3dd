"""Statistics and runs of several cells, against the counters of all of them in one place."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere, Part, Voice
from tandem.runs.everywhere import AllRuns
from tandem.runs.merged_samples import added_up
from tandem.runs.samples import CreatorCounts, Life, RunCounters, Sample, Snapshot
from tandem.runs.statistics import Counted, place_of, run_of
from tandem.runs.statistics import added_up as rows_added_up

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# For each cell: which runs it has, and in which seconds their first and last users came.
CELLS = some.lists(
    some.dictionaries(
        some.text("abcdefgh", min_size=1, max_size=2),
        some.tuples(some.integers(0, 20), some.integers(0, 20)).map(sorted),
        max_size=12,
    ),
    min_size=1,
    max_size=4,
)


def counted(number, seed, first, last):
    """The counters of a run in one cell."""
    counters = {"total": last + 1, "synchronized": 1, "taken_over": number, "dead_letters": 0}
    moments = {
        "first_created_at": BEGIN + timedelta(seconds=first),
        "last_created_at": BEGIN + timedelta(seconds=last),
    }
    return Counted({"seed": seed, "instances": [f"i{number}"], **counters, **moments}, {number: last + 1})


class StoredRuns:
    """The runs of one cell, as `Statistics` answers them."""

    def __init__(self, number, runs):
        rows = [counted(number, seed, *seconds) for seed, seconds in runs.items()]
        self.rows = sorted(rows, key=place_of, reverse=True)

    async def newest(self, limit, before=None):
        return [row for row in self.rows if before is None or place_of(row) < before][:limit]

    async def of_runs(self, seeds):
        return [row for row in self.rows if row.row["seed"] in seeds]


def everywhere(cells):
    own, *others = (StoredRuns(number, runs) for number, runs in enumerate(cells))
    return all_runs(own, others)


def all_runs(own, others):
    parts = {number: Part(number, each, Voice()) for number, each in enumerate(others, 1)}
    return AllRuns(Everywhere(own, 0, Voice(), parts))


@given(cells=CELLS, limit=some.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_the_pages_of_runs_have_each_run_once_with_all_its_users(cells, limit):
    rows = [row for number, runs in enumerate(cells) for row in StoredRuns(number, runs).rows]
    seeds = {row.row["seed"] for row in rows}
    whole = [rows_added_up([row for row in rows if row.row["seed"] == seed]) for seed in seeds]
    expected = [run_of(row) for row in sorted(whole, key=place_of, reverse=True)]

    async def read():
        runs, place = [], None
        while True:
            page = await everywhere(cells).newest(limit, place)
            assert len(page.runs) <= limit
            runs += page.runs
            place = page.next
            if place is None:
                return runs

    assert asyncio.run(read()) == expected


async def test_a_silent_cell_is_named_and_the_others_are_added_up():
    class Silent(StoredRuns):
        async def newest(self, limit, before=None):
            raise Unavailable("PostgreSQL does not answer")

    runs = {"a": (0, 1)}
    page = await all_runs(StoredRuns(0, runs), [Silent(1, runs), StoredRuns(2, runs)]).newest(10)
    assert [(run.seed, run.total, run.instances) for run in page.runs] == [("a", 4, ["i0", "i2"])]
    assert page.silent == [1]


def snapshot(second, totals, samples=(), oldest=None):
    """What one cell's PostgreSQL says of the run `r`."""
    counts = [CreatorCounts(app_id, total) for app_id, total in totals.items()]
    run = RunCounters("r", oldest, counts, [(3, sum(totals.values()))], list(samples))
    lives = [Life(1, app_id, BEGIN, 0, True, 0.1, True, {}) for app_id in totals]
    return Snapshot(BEGIN + timedelta(seconds=second), [run], lives, oldest)


def sample(second, stored):
    return Sample("r", second, stored, stored, stored, stored, None)


def test_snapshots_are_added_up_and_instances_of_one_name_stay_apart():
    both = added_up({3: snapshot(2, {"i": 5}, oldest=4.0), 0: snapshot(1, {"i": 7, "j": 1})})
    (run,) = both.runs
    assert [(each.cell, each.app_id, each.total) for each in run.counts] == [
        (0, "i", 7),
        (0, "j", 1),
        (3, "i", 5),
    ]
    assert [(life.cell, life.app_id) for life in both.lives] == [(0, "i"), (0, "j"), (3, "i")]
    assert (run.lags, run.oldest_pending_seconds, both.at) == ([(3, 13)], 4.0, BEGIN + timedelta(seconds=2))


@pytest.mark.parametrize("order", [(0, 3), (3, 0)])
def test_of_samples_of_one_second_that_of_the_lowest_cell_counts(order):
    kept = {0: [sample(10, 1), sample(11, 2)], 3: [sample(11, 9), sample(12, 3)]}
    (run,) = added_up({number: snapshot(1, {"i": 1}, kept[number]) for number in order}).runs
    assert {each.at_second: each.stored for each in run.samples} == {10: 1, 11: 2, 12: 3}


def test_nothing_is_lost_of_lags():
    parts = [counted(number, "a", 0, number) for number in range(3)]
    assert rows_added_up(parts).lags == Counter({0: 1, 1: 2, 2: 3})
