"""Recovery: whatever was committed and then left behind goes on from PostgreSQL.

The in-process saga is only the fast path. A user is pending as long as its row in `prm_user_pending` says so,
and this service starts the flow again for each pending user that nobody works on. It reads *which* users
those are, never "ids greater than the last one": commits do not come in the order of ids, and such a cursor
would silently skip whoever commits late.
"""

import asyncio
import logging
import time
from datetime import timedelta

from tandem.cqrs import CreateUserQueryCommand, SynchronizeUserCommand
from tandem.kernel import Coalescer, CommandBus, Unavailable
from tandem.user_command.lease import Lease
from tandem.user_command.repository import UserCommandRepository

logger = logging.getLogger(__name__)

# Users claimed by one statement.
MOST_A_CLAIM = 500


class Recovery:
    """Claims pending users that nobody works on, and sends them on their way again."""

    def __init__(
        self,
        repository: UserCommandRepository,
        lease: Lease,
        commands: CommandBus,
        projection: Coalescer[CreateUserQueryCommand, object],
        write_back: Coalescer[SynchronizeUserCommand, None],
    ) -> None:
        self._repository = repository
        self._lease = lease
        self._commands = commands
        self._projection = projection
        self._write_back = write_back
        #: Users claimed since this instance began.
        self.claimed = 0

    async def keep(self, every: timedelta) -> None:
        """Run for ever. Looking for work never takes more than a twentieth of the time."""
        while True:
            started = time.monotonic()
            try:
                found = await self.run_once()
            except Unavailable as error:
                found = 0
                logger.debug("Recovery waits: %s", error)
            took = time.monotonic() - started
            await asyncio.sleep(0.01 if found else max(every.total_seconds(), 20 * took))

    async def run_once(self) -> int:
        """Claim what there is room for, and dispatch it. The number of users claimed.

        Half of the room is left to the fast path, so that a long backlog does not delay new users.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        most = min(MOST_A_CLAIM, self._projection.coalescing.max_waiting // 2 - self._projection.waiting)
        if most <= 0:
            return 0
        users = await self._repository.claim(self._lease.incarnation, self._held(), most)
        for user in users:
            self._commands.dispatch(CreateUserQueryCommand(user))
        if users:
            self.claimed += len(users)
            logger.info("Recovery: %d pending users taken up (%d since the start).", len(users), self.claimed)
        return len(users)

    def _held(self) -> list[int]:
        """The ids of the users on their way through this process."""
        projected = [command.user.id for command in self._projection.held()]
        return projected + [command.user_id for command in self._write_back.held()]
