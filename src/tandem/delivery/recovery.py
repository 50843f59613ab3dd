"""Recovery: whatever was committed and then left behind goes on from PostgreSQL.

The in-process saga is only the fast path. Work is pending as long as its row says so, and this service starts
the flow again for each piece that nobody works on. It reads *which* those are, never "ids greater than the
last one": commits do not come in the order of ids, and such a cursor would silently skip what commits late.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from tandem.delivery.lease import Lease
from tandem.delivery.pending import PendingWork, Unreadable

logger = logging.getLogger(__name__)

Work = TypeVar("Work")
Work_contra = TypeVar("Work_contra", contravariant=True)

# Claimed by one statement.
MOST_A_CLAIM = 500
SECONDS_BETWEEN_LOOKS = 1.0
# Long enough for what was claimed to be on its way before it is looked for again.
SECONDS_BETWEEN_CLAIMS = 0.01


class Flow(Protocol[Work_contra]):
    """What recovery asks of the way that this kind of work takes through this process."""

    def resume(self, work: Work_contra) -> None:
        """Start its flow again. Where there is no room for it, its row stays, and is found again."""

    def set_aside(self, unreadable: Unreadable) -> None:
        """Take what cannot be read out of the flow, if there is room, as in `resume`."""

    def room(self) -> int:
        """How many pieces may be claimed now."""

    def in_flight(self) -> Sequence[int]:
        """The ids of what is on its way already."""


class Recovery(Generic[Work]):
    """Claims pending work that nobody works on, and sends it on its way again.

    Args:
        pending: the rows.
        lease: this life, in whose name they are claimed.
        flow: where the work goes.
    """

    def __init__(self, pending: PendingWork[Work], lease: Lease, flow: Flow[Work]) -> None:
        self._pending = pending
        self._lease = lease
        self._flow = flow
        #: Pieces claimed since this instance began.
        self.claimed = 0
        #: Told of what was claimed. They must not raise.
        self.observers: list[Callable[[Sequence[Work]], None]] = []

    async def run_once(self) -> float:
        """One round: claim, and say in how many seconds to look again.

        While there is work, at once. Otherwise looking takes at most a twentieth of the time: during an
        outage the table may hold a million rows of which none is idle.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        started = time.monotonic()
        if await self.claim():
            return SECONDS_BETWEEN_CLAIMS
        return max(SECONDS_BETWEEN_LOOKS, 20 * (time.monotonic() - started))

    async def claim(self) -> int:
        """Claim what there is room for, and start it again. How many pieces were claimed.

        What cannot be read is set aside, and the rest goes on.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        most = min(MOST_A_CLAIM, self._flow.room())
        if most <= 0:
            return 0
        claimed = await self._pending.claim(self._lease.incarnation, self._flow.in_flight(), most)
        for work in claimed.work:
            self._flow.resume(work)
        for unreadable in claimed.unreadable:
            self._flow.set_aside(unreadable)
            logger.error("%d %s. It is set aside as a dead letter.", unreadable.id, unreadable.error)
        if claimed.work:
            self.claimed += len(claimed.work)
            for observe in self.observers:
                observe(claimed.work)
            logger.info(
                "Recovery: %d pieces of work taken up (%d since the start).", len(claimed.work), self.claimed
            )
        return len(claimed.work) + len(claimed.unreadable)
