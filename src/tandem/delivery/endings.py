"""How the flow of a piece of work ends: the query side has acknowledged it, or has refused it for good."""

from collections.abc import Sequence

import asyncpg

from tandem.delivery.queries import queries_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database

# PostgreSQL's `lock_timeout`: how long to wait for a row that another transaction has locked.
ROW_PATIENCE = "500ms"


#: Bucket b of prm_user_lag, say, holds lags of (1.1^(b-1), 1.1^b] ms (`delivery.sql`, synchronize). Its
#: geometric middle is at most sqrt(1.1) - 1 = 4.9 % away from any lag in it.
BUCKET_GROWTH = 1.1


class Endings:
    """Records ends in PostgreSQL, for one kind of work.

    Args:
        database: where it is recorded.
        kind: the kind's name, as in its tables; see `queries.queries_of`.
        app_id: this instance, in whose name.
        reads: has the share of the sessions that people's questions may take.
    """

    def __init__(self, database: Database, kind: str, app_id: str, reads: Database | None = None) -> None:
        self._database = database
        self._queries = queries_of(kind)
        self._app_id = app_id
        self._reads = reads or database

    async def synchronize(self, versions: Sequence[tuple[int, int]], epoch: int) -> list[asyncpg.Record]:
        """Record SYNCRONIZED for each id that is still pending at this version or an earlier one.

        `epoch` is the lowest that any of their documents was written under. All stay pending where
        projections require a later one by now.

        Returns: how many had a lag of this bucket, and whether another instance had created them.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        # In one order everywhere, so that two instances with the same ids cannot lock each other out.
        ordered = sorted(versions)
        arguments = ([id_ for id_, _ in ordered], [version for _, version in ordered], self._app_id)
        try:
            return await self._database.fetch(self._queries["synchronize"], *arguments, ROW_PATIENCE, epoch)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
        # Somebody has locked a row. It stays pending, and recovery comes back to it; the others go on.
        return await self._database.fetch(self._queries["synchronize"], *arguments, None, epoch)

    async def set_aside(self, letters: Sequence[tuple[int, int, str]]) -> None:
        """Make each id that is still pending at this version a dead letter, for this reason.

        Raises:
            Unavailable: PostgreSQL does not answer. Doing it again is harmless.
        """
        columns = tuple([letter[place] for letter in letters] for place in range(3))
        await self._database.fetch(self._queries["set_aside"], *columns, self._app_id)

    async def not_synchronized(self, ids: Sequence[int]) -> set[int]:
        """Those of these ids that the query side has not acknowledged as they are now.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return {row[0] for row in await self._reads.fetch(self._queries["not_synchronized"], ids)}
