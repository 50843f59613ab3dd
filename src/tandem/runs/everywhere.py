"""The statistics of runs, added up over all cells."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from tandem.kernel.cells import Everywhere, Heard
from tandem.runs.statistics import (
    Counted,
    Place,
    Run,
    RunStatistics,
    Statistics,
    added_up,
    place_of,
    run_of,
    statistics_of,
)

# A page may need more than one look where runs go on in several cells at different times.
MOST_LOOKS = 10


class PageOfRuns(NamedTuple):
    """Some runs, the place after which the next ones come (None after the last), and the silent cells."""

    runs: Sequence[Run]
    next: Place | None
    silent: Sequence[int]


class AllRuns:
    """The runs of one kind, of all cells together."""

    def __init__(self, cells: Everywhere[Statistics]) -> None:
        self._cells = cells

    async def statistics(self, seed: str | None = None) -> tuple[list[RunStatistics], Sequence[int]]:
        """A row for each run and instance, or for those of one run, in order of seed and instance.

        Raises:
            SilentCells, Unavailable: PostgreSQL does not answer, of any cell.
        """
        heard = await self._cells.ask(lambda statistics: statistics.counted(seed))
        rows = _added_up_by(chain(*heard.answers.values()), "seed", "app_id")
        if len(heard.answers) > 1:
            rows.sort(key=lambda counted: (counted.row["seed"], counted.row["app_id"]))
        return [statistics_of(each) for each in rows], heard.silent

    async def newest(self, limit: int, before: Place | None = None) -> PageOfRuns:
        """At most `limit` runs, in descending order of when their last user was created, and of their seeds.

        There may be fewer, with more to come.

        Args:
            limit: how many.
            before: only runs that follow this place.

        Raises:
            SilentCells, Unavailable: PostgreSQL does not answer, of any cell.
        """
        silent: set[int] = set()
        page = PageOfRuns([], before, ())
        for _ in range(MOST_LOOKS):
            page = await self._look(limit, page.next)
            silent.update(page.silent)
            if page.runs or page.next is None:
                break
        return page._replace(silent=sorted(silent))

    async def _look(self, limit: int, after: Place | None) -> PageOfRuns:
        """What cells have after a place, down to where each of them has told all."""
        heard = await self._cells.ask(lambda statistics: statistics.newest(limit, after))
        full = [rows for rows in heard.answers.values() if len(rows) == limit]
        end = max((place_of(rows[-1]) for rows in full), default=None)
        rows = list(chain(*heard.answers.values()))
        silent = heard.silent
        if len(heard.answers) > 1:
            # A run may be further up in one cell, or stand on an earlier page of another one.
            whole = await self._whole(rows)
            silent = sorted({*silent, *whole.silent})
            rows = _added_up_by(chain(*whole.answers.values()), "seed")
        shown = [row for row in rows if _is_between(place_of(row), after, end)]
        shown.sort(key=place_of, reverse=True)
        if len(shown) > limit:
            shown, end = shown[:limit], place_of(shown[limit - 1])
        return PageOfRuns([run_of(row) for row in shown], end, silent)

    async def _whole(self, rows: Iterable[Counted]) -> Heard[list[Counted]]:
        seeds = list({row.row["seed"] for row in rows})
        return await self._cells.ask(lambda statistics: statistics.of_runs(seeds))


def _is_between(place: Place, after: Place | None, end: Place | None) -> bool:
    return (after is None or place < after) and (end is None or place >= end)


def _added_up_by(rows: Iterable[Counted], *names: str) -> list[Counted]:
    """One row for all that have the same values under these names."""
    same: defaultdict[Hashable, list[Counted]] = defaultdict(list)
    for row in rows:
        same[tuple(row.row[name] for name in names)].append(row)
    return [added_up(parts) for parts in same.values()]
