"""What is left to do in the whole system, for whoever asks often."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

import msgspec

from tandem.delivery.queries import queries_of
from tandem.kernel import Unavailable
from tandem.postgres.database import Database

# Counted no further, so that asking stays cheap while MongoDB is away and millions are pending.
MOST_PENDING = 100_000
MOST_DEAD_LETTERS = 1_000
PATIENCE = timedelta(seconds=1)
SHORTEST_REST_SECONDS = 1.0
# What it rests is so many times what it took.
REST_FACTOR = 20


class FlowState(msgspec.Struct, frozen=True):
    """Pending work and dead letters of all instances, of one kind of work."""

    #: At most `MOST_PENDING`.
    pending: int
    oldest_pending_seconds: float
    #: At most `MOST_DEAD_LETTERS`.
    dead_letters: int


Answer_co = TypeVar("Answer_co", covariant=True)


class Latest(Generic[Answer_co]):
    """Asks PostgreSQL once a second at most, less often where that takes long. All share the answer."""

    def __init__(self, ask: Callable[[], Awaitable[Answer_co]]) -> None:
        """`ask` raises `Unavailable` where it gets no answer within `PATIENCE`."""
        self._ask = ask
        self._latest: Answer_co | None = None
        self._asking = asyncio.Lock()
        self._rest_until = 0.0

    async def latest(self) -> Answer_co | None:
        """How it was a moment ago; None while PostgreSQL does not answer."""
        async with self._asking:
            started = time.monotonic()
            if started >= self._rest_until:
                try:
                    self._latest = await self._ask()
                except Unavailable:
                    self._latest = None
                now = time.monotonic()
                # What was not answered has cost nothing.
                cost = now - started if self._latest is not None else 0
                self._rest_until = now + max(SHORTEST_REST_SECONDS, REST_FACTOR * cost)
        return self._latest


class FlowStates(Latest[FlowState]):
    """The latest state of the flow of one kind."""

    def __init__(self, database: Database, kind: str) -> None:
        query = queries_of(kind)["flow_state"]

        async def ask() -> FlowState:
            rows = await database.fetch(query, MOST_PENDING, MOST_DEAD_LETTERS, within=PATIENCE)
            return FlowState(**dict(rows[0]))

        super().__init__(ask)
