"""Dead letters: work that was set aside, because it is refused for good or nobody can read it."""

import asyncpg

from tandem.delivery.idempotency import StillOpen
from tandem.delivery.queries import queries_of
from tandem.postgres.database import Database


class DeadLetterRows:
    """The dead letters of one kind of work, which is named as in its tables."""

    def __init__(self, database: Database, kind: str) -> None:
        self._database = database
        self._kind = kind
        self._queries = queries_of(kind)

    async def rows(self, limit: int, after: int, seed: str | None = None) -> list[asyncpg.Record]:
        """At most `limit` with ids above `after`, ascending: id, seed, version, error, app_id, created_at.

        Those of one run, or of all.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._database.fetch(self._queries["list_dead_letters"], after, limit, seed)

    async def row(self, work_id: int) -> asyncpg.Record | None:
        """The one of this id with the refused state (as JSON, or null) in the end; None where it is none.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(self._queries["find_dead_letter"], work_id)
        return rows[0] if rows else None

    async def retry(self, work_id: int | None = None) -> int:
        """Make this dead letter pending again, or at most 1,000 of all. How many they were.

        Of all, those are left out that another transaction has locked.

        Raises:
            StillOpen: another transaction has locked this one.
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(self._queries["retry_dead_letters"], work_id)
        retried = int(rows[0]["retried"])
        if retried or work_id is None or not await self._exists(work_id):
            return retried
        letter = f"the dead letter of {self._kind} {work_id}"
        msg = f"Another transaction has locked {letter}; try again in a moment."
        raise StillOpen(msg)

    async def _exists(self, work_id: int) -> bool:
        return bool(await self._database.fetch(self._queries["is_dead_letter"], work_id))

    async def count(self) -> tuple[int, str]:
        """How many there are, counted no further than 1,000, and the error of the first; empty without one.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(self._queries["count_dead_letters"])
        return int(rows[0]["letters"]), rows[0]["error"] or ""
