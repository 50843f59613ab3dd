"""Idempotency keys that other transactions hold: found without waiting for any of them.

Whoever inserts a key that another transaction has inserted and not committed yet waits for that one, and with
it the whole batch. So a batch waits for a moment only (`lock_timeout`). If that was in vain, the keys are
looked at one by one on the server, without waiting, and those that are held are left out. For some seconds
from then on, batches look before they insert: clients send the same keys again.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tandem.delivery.idempotency import HeldUp, K, Keyed, keys_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.queries import Query

CAREFUL_SECONDS = 10.0
# PostgreSQL's `lock_timeout`. Somebody who commits the same key just now is waited for, so that both get the
# same answer; it takes a fsync. A transaction that stays open holds up a batch only once for so long.
KEY_PATIENCE = "200ms"
SAME_KEY = "uses the same key"


class HeldKeys:
    """Finds the commands whose keys are held by a transaction that is still open.

    Args:
        database: where the keys are.
        find: the query that answers which of the keys it is given are held, and waits for none.
    """

    def __init__(self, database: Database, find: Query) -> None:
        self._database = database
        self._find = find
        self._careful_until = 0.0

    @asynccontextmanager
    async def waiting_briefly(self, commands: Sequence[Keyed]) -> AsyncIterator[str | None]:
        """For the statement that writes the keys of these commands: the `lock_timeout` that it has to set.

        None where no command has a key.

        Raises:
            HeldUp: some of the keys are held; the rest may be written.
            Unavailable: PostgreSQL does not answer.
        """
        if held_up := await self._held(commands):
            raise HeldUp(held_up, SAME_KEY)
        try:
            yield KEY_PATIENCE if any(command.idempotency for command in commands) else None
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise
            # That was the end of a wait for somebody's key: from now on, look before inserting.
            self._careful_until = time.monotonic() + CAREFUL_SECONDS
            raise HeldUp(await self._held(commands), SAME_KEY) from error

    async def _held(self, commands: Sequence[K]) -> list[K]:
        """Those of `commands` whose keys are held; none without a look, if all went well lately.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if time.monotonic() >= self._careful_until:
            return []
        keys = keys_of(commands)
        if not keys:
            return []
        found = {row[0] for row in await self._database.fetch(self._find, keys)}
        if found:
            self._careful_until = time.monotonic() + CAREFUL_SECONDS
        return [command for command in commands if command.idempotency and command.idempotency.key in found]
