"""Commands that are in each other's way: they are tried again here, and nobody waits with them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from tandem.delivery.idempotency import StillOpen
from tandem.errors import TandemError
from tandem.kernel import Backoff

R = TypeVar("R")

# Of a command that another open transaction is in the way of: the pauses between tries, and how many.
_PAUSES = Backoff()
MOST_TRIES = 5
_PAUSES_OF_A_CONTEST = Backoff(first=timedelta(milliseconds=5), longest=timedelta(milliseconds=100))
# The first tries of a command whose aggregate was changed meanwhile go at once, with the next batch.
TRIES_AT_ONCE = 5
# How long a command may lose against others on its aggregate, in seconds. Each try decides anew.
LONGEST_CONTEST_SECONDS = 5.0


class Overtaken(TandemError):
    """It was changed while a command on it was decided. Nothing was done; decide again."""


async def until_settled(attempt: Callable[[], Awaitable[R]]) -> R:
    """What `attempt` answers, which sends a command; where others are in its way, it is made again.

    Raises:
        StillOpen: another transaction was in the way each time.
        Overtaken: others were first for as long as a command may lose.
    """
    deadline = time.monotonic() + LONGEST_CONTEST_SECONDS
    tries = contests = 0
    while True:
        try:
            return await attempt()
        except StillOpen:
            tries += 1
            if tries == MOST_TRIES:
                raise
            await asyncio.sleep(_PAUSES.seconds(tries))
        except Overtaken:
            contests += 1
            if time.monotonic() > deadline:
                raise
            if contests > TRIES_AT_ONCE:
                await asyncio.sleep(_PAUSES_OF_A_CONTEST.seconds(contests - TRIES_AT_ONCE))
