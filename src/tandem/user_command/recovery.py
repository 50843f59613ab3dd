"""Recovery: whatever was committed and then left behind goes on from PostgreSQL.

The in-process saga is only the fast path. A user is pending as long as its row in `prm_user_pending` says so,
and this service starts the flow again for each pending user that nobody works on. It reads *which* users
those are, never "ids greater than the last one": commits do not come in the order of ids, and such a cursor
would silently skip whoever commits late.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tandem.cqrs import CreateUserQueryCommand
from tandem.kernel import Coalescer, CommandBus
from tandem.user import StoredUser
from tandem.user_command.lease import Lease
from tandem.user_command.repository import UserCommandRepository

logger = logging.getLogger(__name__)

# Users claimed by one statement.
MOST_A_CLAIM = 500
SECONDS_BETWEEN_LOOKS = 1.0
# Long enough for what was claimed to be on its way before it is looked for again.
SECONDS_BETWEEN_CLAIMS = 0.01
# Runs of which it is remembered whose users were claimed.
MOST_REMEMBERED_RUNS = 20


class Recovery:
    """Claims pending users that nobody works on, and sends them on their way again.

    `held` names the users that are on their way through this process already.
    """

    def __init__(
        self,
        repository: UserCommandRepository,
        lease: Lease,
        commands: CommandBus,
        projection: Coalescer[CreateUserQueryCommand, Any],
        held: Callable[[], list[int]],
    ) -> None:
        self._repository = repository
        self._lease = lease
        self._commands = commands
        self._projection = projection
        self._held = held
        #: Users claimed since this instance began.
        self.claimed = 0
        #: The same by run, for the last few of them, and by the instance that created the users.
        self.claimed_from: dict[str, Counter[str]] = {}

    async def run_once(self) -> float:
        """One round: claim, and say in how many seconds to look again.

        While there is work, at once. Otherwise looking takes at most a twentieth of the time: during an
        outage the table may hold a million users of which none is idle.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        started = time.monotonic()
        if await self.claim():
            return SECONDS_BETWEEN_CLAIMS
        return max(SECONDS_BETWEEN_LOOKS, 20 * (time.monotonic() - started))

    async def claim(self) -> int:
        """Claim what there is room for, and dispatch it. The number of users claimed.

        What cannot be read is set aside, and the rest goes on.

        Half of the room is left to the fast path, so that a long backlog does not delay new users.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        most = min(MOST_A_CLAIM, self._projection.coalescing.max_waiting // 2 - self._projection.waiting)
        if most <= 0:
            return 0
        users, unreadable = await self._repository.claim(self._lease.incarnation, self._held(), most)
        for user in users:
            self._commands.dispatch(CreateUserQueryCommand(user))
        for command in unreadable:
            self._commands.dispatch(command)
            logger.error("User %d %s. It is set aside as a dead letter.", command.user_id, command.error)
        if users:
            self._count(users)
            logger.info("Recovery: %d pending users taken up (%d since the start).", len(users), self.claimed)
        return len(users) + len(unreadable)

    def _count(self, users: Sequence[StoredUser]) -> None:
        self.claimed += len(users)
        for user in users:
            self.claimed_from.setdefault(user.seed, Counter())[user.app_id] += 1
        while len(self.claimed_from) > MOST_REMEMBERED_RUNS:
            del self.claimed_from[next(iter(self.claimed_from))]
