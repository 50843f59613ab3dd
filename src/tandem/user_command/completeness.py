"""Up to which id the read side has everybody: what a list may show to who goes on after its last id.

Ids come from a sequence and commits in another order, so a user may arrive below the ids that somebody has
already read. Below the id that is computed here nobody arrives any more. Of every id up to it

* either the user is in MongoDB, acknowledged by a majority (it is not pending any more),
* or it was set aside as a dead letter, and arrives late if it is ever sent again,
* or there is none: its transaction was rolled back.

How: a transaction that takes an id locks the sequence until it ends (RowExclusiveLock, which stops nobody).
So read the last id that was given; see who has the lock; once all of those have ended, every id up to that
one is visible or gone. Then the lowest pending id says how far MongoDB is. A snapshot's `xmin` would not do,
because an id is taken before its transaction has a number.
"""

import asyncio
import time
from datetime import timedelta

from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.sessions import Session
from tandem.user_command.queries import QUERIES

PATIENCE = timedelta(seconds=2)
# All who ask within that time share one answer.
REST_SECONDS = 1.0
# Transactions that create users take milliseconds. Who takes longer is asked for again the next time.
LOOKS = 10
BETWEEN_LOOKS_SECONDS = 0.01


class Completeness:
    """Asks PostgreSQL once a second at most, and only while somebody wants to know."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._rest_until = 0.0
        # The last answer, or why there was none.
        self._through: int | Unavailable = 0
        # No transaction that is still open has an id up to this one.
        self._settled = 0
        # The next such id, and the transactions that have to end first.
        self._next: tuple[int, frozenset[str]] | None = None

    async def through(self) -> int:
        """The id up to which MongoDB has everybody whom it will ever have; a moment old at most.

        Read MongoDB after this, and as it is now (linearizable): only then it has them.

        Raises:
            Unavailable: PostgreSQL does not answer, or its sequence gives ids ahead.
        """
        async with self._asking:
            if time.monotonic() >= self._rest_until:
                try:
                    self._through = await self._ask()
                except Unavailable as error:
                    self._through = error
                self._rest_until = time.monotonic() + REST_SECONDS
            if isinstance(self._through, Unavailable):
                raise Unavailable(str(self._through))
            return self._through

    async def _ask(self) -> int:
        # One connection for all of it: two servers would not speak of the same transactions.
        async with self._database.connection(PATIENCE) as connection:
            await self._settle(connection)
            # A statement of its own, so that its snapshot sees what those transactions have committed.
            lowest = await connection.fetchval(QUERIES["lowest_pending"].sql)
        return self._settled if lowest is None else min(self._settled, lowest - 1)

    async def _settle(self, connection: Session) -> None:
        """Raise `_settled` as far as transactions have ended by now."""
        if self._next is None:
            [(last_id, per_session)] = await connection.fetch(QUERIES["last_user_id"].sql)
            if per_session != 1:
                msg = "prm_user_id_seq gives ids ahead to sessions; alter it to CACHE 1"
                raise Unavailable(msg)
            # In this order: who takes an id from now on gets a higher one.
            self._next = last_id, await self._takers(connection)
        last_id, waited_for = self._next
        for _ in range(LOOKS):
            if not waited_for:
                self._settled, self._next = last_id, None
                return
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
            waited_for &= await self._takers(connection)
        self._next = last_id, waited_for

    async def _takers(self, connection: Session) -> frozenset[str]:
        rows = await connection.fetch(QUERIES["takers_of_ids"].sql)
        return frozenset(row["virtualtransaction"] for row in rows)
