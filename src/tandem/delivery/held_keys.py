"""Idempotency keys that other transactions hold: found without waiting for any of them.

Whoever inserts a key that another transaction has inserted and not committed yet waits for that one, and with
it the whole batch. So a batch waits for a moment only (`lock_timeout`). If that was in vain, the keys are
looked at one by one on the server, without waiting, and those that are held are left out. For some seconds
from then on, batches look before they insert: clients send the same keys again.
"""

import time
from collections.abc import Sequence

import asyncpg

from tandem.delivery.idempotency import K, keys_of
from tandem.postgres.database import Database
from tandem.postgres.queries import Query

CAREFUL_SECONDS = 10.0


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

    def is_held(self, error: BaseException | None) -> bool:
        """Whether this is the end of a wait for somebody's key; from now on, look before inserting."""
        held = isinstance(error, asyncpg.LockNotAvailableError)
        if held:
            self._careful_until = time.monotonic() + CAREFUL_SECONDS
        return held

    async def held(self, commands: Sequence[K]) -> list[K]:
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
