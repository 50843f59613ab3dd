"""Waiting for MongoDB's acknowledgement, for clients that prefer to (`Prefer: wait=S`)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from tandem.kernel import Backoff, BatchPolicy, Coalescer, Overloaded, Unavailable

#: Between two looks for a version: the flow takes some 30 ms, and all who wait are looked up together.
PAUSES = Backoff(first=timedelta(milliseconds=10), longest=timedelta(milliseconds=250))


class Acknowledgements:
    """Looks whether work is synchronized. Whoever waits holds up nobody else.

    Args:
        name: of its coalescer.
        not_synchronized: answers which of these ids MongoDB has not acknowledged as they are now.
    """

    def __init__(self, name: str, not_synchronized: Callable[[Sequence[int]], Awaitable[set[int]]]) -> None:
        self._not_synchronized = not_synchronized
        self._looks: Coalescer[int, bool] = Coalescer(
            name, self._are_synchronized, BatchPolicy(max_batch=500)
        )

    @property
    def coalescers(self) -> Sequence[Coalescer[int, bool]]:
        """The one that gathers looks: for metrics and the orderly stop."""
        return [self._looks]

    async def is_synchronized(self, work_id: int, within_seconds: float) -> bool:
        """Whether MongoDB has acknowledged it as it is now, after waiting for at most so long.

        What waits for this is committed: that PostgreSQL does not answer, or too many are waiting, makes no
        error of it, but is a no.
        """
        try:
            return await PAUSES.poll(lambda: self._looks.submit(work_id), within_seconds)
        except (Unavailable, Overloaded):
            return False

    async def _are_synchronized(self, ids: Sequence[int]) -> Sequence[bool]:
        behind = await self._not_synchronized(ids)
        return [work_id not in behind for work_id in ids]
