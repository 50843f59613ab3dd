"""Which history of the database a session belongs to, so that no id is ever given twice.

A standby that is promoted may lack commits of the lost primary; a restored backup lacks all that came after
it. Both go on from an earlier state of the id sequence, while MongoDB and clients know users whose ids would
be given again.

So every new session is looked at before anybody is lent it. It is refused where the server is read-only: a
session that was opened at a standby would turn writable by the promotion, without anybody having looked.
Where it belongs to another history than the one noted last (a row in `tandem_history`, replicated and backed
up with the users), or where a higher id is known than the sequence has given, the sequence is moved ahead
and the new history noted, by one statement: of several instances one does it. Within a session the history
cannot change.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from tandem.cqrs.user import KIND
from tandem.delivery.queries import queries_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.sessions import Session
from tandem.user_command.queries import QUERIES

logger = logging.getLogger(__name__)

# So many ids are skipped, counted from the highest that PostgreSQL or MongoDB knows of. The lost server may
# have given more than both know: at 10,000 users a second this is what it gives in almost three hours. The
# ids below 2^53 suffice for 90 million histories; those of a cell, which go in steps of 10,000, for 9,000.
SKIPPED_IDS = 100_000_000
SECONDS_BETWEEN_LOOKS = 1.0


class HistoryState(msgspec.Struct, frozen=True, rename="camel"):
    """The history that ids are given in: since when, and from which id on."""

    timeline: int
    number: int
    noted_at: datetime
    first_id: int


class History:
    """Looks at sessions, and knows which history the last one belonged to."""

    def __init__(
        self,
        database: Database,
        highest_in_mongodb: Callable[[], Awaitable[int]],
        other_kinds: Sequence[str] = (),
    ) -> None:
        """`highest_in_mongodb` answers the highest id in MongoDB, or raises `Unavailable`, soon.

        `other_kinds` than users have ids of the same sequence.
        """
        self._database = database
        self._other_kinds = other_kinds
        self._highest_in_mongodb = highest_in_mongodb
        self._looking = asyncio.Lock()
        # The history and the server's start of the sessions looked at last.
        self._seen: tuple[str, datetime] | None = None
        # Whether MongoDB was asked since, and nothing speaks against the sequence.
        self._is_certain = False

    async def follow(self) -> None:
        """Look at every session from now on.

        Raises:
            Unavailable: no session can be had that may write.
        """
        await self._database.inspect_with(self.inspect)

    async def inspect(self, session: Session) -> None:
        """Look at a session before it is lent, and move the ids ahead where it is in another history.

        Raises:
            ReadOnlySQLTransactionError: it may not write.
        """
        row = await session.fetchrow(QUERIES["look_at_server"].sql)
        assert row is not None  # noqa: S101 - narrows the type: the query has one row
        if row["read_only"]:
            msg = "the session is read-only"
            raise asyncpg.ReadOnlySQLTransactionError(msg)
        found = (row["history"], row["started_at"])
        async with self._looking:
            if found != self._seen:
                await self._go_on(session, found)
        await self._database.standby.look(session)

    async def look_again(self) -> float:
        """Ask MongoDB if it did not answer when a session was looked at; in how many seconds to call again.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if not self._is_certain and self._seen is not None:
            async with self._database.connection() as session, self._looking:
                await self._go_on(session, self._seen)
        return SECONDS_BETWEEN_LOOKS

    def doubt(self) -> None:
        """An id turned out to be given already: look at the sequence again, soon."""
        self._is_certain = False

    async def state(self) -> tuple[HistoryState, list[tuple[int, int]]]:
        """The history of now, and the ids that no history gives.

        These are ids above the first and below the second of each pair.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["histories"])
        last = rows[-1]
        timeline = int(last["history"].split("/")[1]) if last["history"] else 0
        state = HistoryState(timeline, last["number"], last["noted_at"], last["first_id"])
        return state, [(row["highest_id"], row["first_id"]) for row in rows if row["number"] > 1]

    async def unknown(self, ids: Sequence[int], kind: str = KIND) -> list[int]:
        """Those of `ids` that no user has here, or none of this kind.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        query = queries_of(kind)["unknown_ids"]
        return [row["id"] for row in await self._database.fetch(query, ids)] if ids else []

    async def _go_on(self, session: Session, found: tuple[str, datetime]) -> None:
        try:
            highest, is_certain = await self._highest_in_mongodb(), True
        except Unavailable:
            # Not waited for: both may be away at once. The margin stands in for it, and it is asked again.
            highest, is_certain = 0, False
        for kind in self._other_kinds:
            (row,) = await session.fetch(queries_of(kind)["highest_id"].sql)
            highest = max(highest, row["id"])
        for row in await session.fetch(QUERIES["note_history"].sql, found[0], highest, SKIPPED_IDS):
            self._say(row)
        if self._seen is not None and found != self._seen:
            # What sessions of the server before have told, such as the ids of countries, may not hold here.
            self._database.another_server()
        self._seen, self._is_certain = found, is_certain

    def _say(self, row: asyncpg.Record) -> None:
        if row["number"] > 1:
            logger.warning(
                "PostgreSQL goes on from an earlier state (history %s): a standby was promoted, or a backup "
                "restored. Ids go on at %d, and none that was lost is given again. /health/flow tells if "
                "MongoDB has users that were lost; see the runbook in docs/operations.md.",
                row["history"],
                row["first_id"],
            )
