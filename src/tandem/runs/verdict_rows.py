"""What PostgreSQL has of one run's rows, and the verdicts that are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from tandem.cqrs.user import KIND
from tandem.ids import HIGHEST_ID
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.runs.queries import queries_of
from tandem.runs.verdict import MOST_NAMED, Named, ShortVerdict, Verdict

#: Ids are given before their rows have a time, and a new primary may have another clock.
MARGIN = timedelta(seconds=60)

_decode = msgspec.json.Decoder(Verdict).decode

#: All ids above the first and up to the second.
Ids = tuple[int, int]


class Figures(msgspec.Struct, frozen=True):
    """What the rows of one run say."""

    rows: int
    #: Those that are not deleted.
    present: int
    ended_at: datetime | None
    longest: timedelta | None
    longest_rescued: timedelta | None
    #: How many have the UUID of another one, and how many have any.
    doubled: tuple[int, int]
    rescued: Sequence[Named]
    letters: Sequence[Named]


class VerdictRows:
    """Reads rows of one kind's runs, and keeps verdicts. All raise `Unavailable` if PostgreSQL is silent."""

    def __init__(self, database: Database, kind: str = KIND) -> None:
        self._database = database
        self._kind = kind
        self._queries = queries_of(kind)

    async def ids(self, first: datetime, last: datetime) -> Ids:
        """The ids of all that was created in this time. No index has runs or times; ids ascend with time."""
        return await self._first_id_from(first - MARGIN) - 1, await self._first_id_from(last + MARGIN) - 1

    async def _first_id_from(self, moment: datetime) -> int:
        low, high = 1, HIGHEST_ID + 1
        while low < high:
            middle = (low + high) // 2
            rows = await self._database.fetch(self._queries["next_row"], min(middle, HIGHEST_ID))
            if rows and rows[0]["created_at"] < moment:
                low = rows[0]["id"] + 1
            else:
                high = middle
        return low

    async def figures(self, seed: str, ids: Ids) -> Figures:
        """What the rows of this run say, which are among these ids."""

        async def named(query: str) -> list[Named]:
            rows = await self._database.fetch(self._queries[query], seed, *ids, MOST_NAMED)
            return [Named(str(row["id"]), _why(row)) for row in rows]

        (counted,) = await self._database.fetch(self._queries["count_rows"], seed, *ids)
        (times,) = await self._database.fetch(self._queries["first_synchronized"], seed, *ids)
        return Figures(
            rows=counted["rows"],
            present=counted["present"],
            ended_at=times["ended_at"],
            longest=times["longest"],
            longest_rescued=times["longest_rescued"],
            doubled=await self._doubled(seed, ids),
            rescued=await named("rescued"),
            letters=await named("letters_of_run"),
        )

    async def _doubled(self, seed: str, ids: Ids) -> tuple[int, int]:
        if self._kind != KIND:
            return 0, 0
        try:
            ((checked, doubled),) = await self._database.fetch(self._queries["doubled_users"], seed, *ids)
        except Unavailable:
            return 0, 0  # too many to look at
        return doubled, checked

    async def keep(self, verdict: Verdict) -> None:
        """Keep this verdict instead of the one before."""
        text = msgspec.json.encode(verdict).decode()
        await self._database.fetch(self._queries["keep_verdict"], verdict.seed, verdict.made_at, text)

    async def find(self, seed: str) -> Verdict | None:
        """The verdict of this run that is kept."""
        rows = await self._database.fetch(self._queries["find_verdict"], seed)
        return _decode(rows[0]["verdict"]) if rows else None

    async def short(self, seeds: Sequence[str]) -> dict[str, ShortVerdict]:
        """The verdicts of these runs in short; one that has none is missing."""
        rows = await self._database.fetch(self._queries["short_verdicts"], seeds)
        return {seed: ShortVerdict(*verdict) for seed, *verdict in rows}


def _why(row: asyncpg.Record) -> str:
    columns = dict(row)
    return (
        str(columns["error"]) if "error" in columns else f"{columns['by']}, after {columns['seconds']:.1f} s"
    )
