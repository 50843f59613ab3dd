"""Pending work: what is committed, and not acknowledged by the query side yet, is a row that says so.

The row says which version of which thing the query side shall have. Only the acknowledgement of that version,
or of a later one, may delete it, and whoever deletes it is the one who records the end.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import asyncpg
import msgspec

from tandem.delivery.queries import queries_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database

Work = TypeVar("Work")

# Own work that this process does not hold is only taken as forgotten after this long: before, the answer to
# the commit that made it pending may still be on its way here.
OWN_GRACE_SECONDS = 2.0


class Unreadable(msgspec.Struct, frozen=True):
    """Work that cannot be read, and why: it names what is wrong, never what is stored."""

    id: int
    version: int
    error: str


@dataclass(frozen=True)
class Claimed(Generic[Work]):
    """What a claim has taken: work to go on with, and work to set aside."""

    work: Sequence[Work] = ()
    unreadable: Sequence[Unreadable] = ()


class PendingWork(Protocol[Work]):
    """What recovery asks of the rows of one kind of work; `PendingRows` is it."""

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> Claimed[Work]:
        """Take over pending work that nobody works on, oldest first, at most `most`.

        That is what belongs to an incarnation whose lease has ended, and what belongs to this one but is not
        among the ids in `held`: dropped when memory was full, or committed although the answer was lost.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """


class PendingRows(Generic[Work]):
    """The pending rows of one kind of work.

    Args:
        database: where they are.
        kind: the kind's name, as in its tables; see `queries.queries_of`.
        read: reads the work of these ids, each at its version; one result each, in any order.
        reads: has the share of the sessions that people's questions may take.
    """

    def __init__(
        self,
        database: Database,
        kind: str,
        read: Callable[[Sequence[int], Sequence[int]], Awaitable[Sequence[Work | Unreadable]]],
        reads: Database | None = None,
    ) -> None:
        self._database = database
        self._queries = queries_of(kind)
        self._read = read
        self._reads = reads or database

    async def claim(self, incarnation: int, held: Sequence[int], most: int) -> Claimed[Work]:
        """See `PendingWork.claim`."""
        claimed = await self._database.fetch(
            self._queries["claim_pending"], incarnation, held, most, OWN_GRACE_SECONDS
        )
        if not claimed:
            return Claimed()
        found = await self._read_each([row[0] for row in claimed], [row[1] for row in claimed])
        unreadable = [one for one in found if isinstance(one, Unreadable)]
        return Claimed([one for one in found if not isinstance(one, Unreadable)], unreadable)

    async def _read_each(self, ids: Sequence[int], versions: Sequence[int]) -> Sequence[Work | Unreadable]:
        """Read these; where PostgreSQL finds one damaged, that one alone is unreadable."""
        try:
            return await self._read(ids, versions)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.InternalServerError):
                raise
            if len(ids) == 1:
                why = f"cannot be read: PostgreSQL says {type(error.__cause__).__name__}"
                return [Unreadable(ids[0], versions[0], why)]
        middle = len(ids) // 2
        first = await self._read_each(ids[:middle], versions[:middle])
        return [*first, *await self._read_each(ids[middle:], versions[middle:])]

    async def oldest_seconds(self) -> float:
        """How long the oldest pending work has been waiting, in seconds; 0 when there is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._reads.fetch(self._queries["oldest_pending"])
        return float(rows[0]["age"] or 0)
