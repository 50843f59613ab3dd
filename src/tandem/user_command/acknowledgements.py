"""Waiting for MongoDB's acknowledgement of a user, for clients that prefer to (`Prefer: wait=S`)."""

from collections.abc import Sequence
from datetime import timedelta

from tandem.kernel import Backoff, BatchPolicy, Coalescer
from tandem.user_command.repository import UserCommandRepository

# Between two looks: the flow takes some 30 ms, and all who wait are looked up together.
_PAUSES = Backoff(first=timedelta(milliseconds=10), longest=timedelta(milliseconds=250))


class Acknowledgements:
    """Looks whether users are synchronized. Whoever waits holds up nobody else."""

    def __init__(self, repository: UserCommandRepository) -> None:
        self._repository = repository
        self._looks: Coalescer[int, bool] = Coalescer(
            "look for acknowledgements", self._are_synchronized, BatchPolicy(max_batch=500)
        )

    @property
    def coalescers(self) -> Sequence[Coalescer[int, bool]]:
        """The one that gathers looks: for metrics and the orderly stop."""
        return [self._looks]

    async def is_synchronized(self, user_id: int, within_seconds: float) -> bool:
        """Whether MongoDB has acknowledged the user as it is now, after waiting for at most so long.

        Raises:
            Unavailable: PostgreSQL does not answer.
            Overloaded: too many are waiting already.
        """
        return await _PAUSES.poll(lambda: self._looks.submit(user_id), within_seconds)

    async def _are_synchronized(self, ids: Sequence[int]) -> Sequence[bool]:
        behind = await self._repository.not_synchronized(ids)
        return [user_id not in behind for user_id in ids]
