"""What is left to do in the whole system, for whoever asks often."""

import asyncio
import time
from datetime import timedelta

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


class FlowStates:
    """Asks PostgreSQL once a second at most, less often where that takes long. All share the answer."""

    def __init__(self, database: Database, kind: str) -> None:
        self._database = database
        self._query = queries_of(kind)["flow_state"]
        self._latest: FlowState | None = None
        self._asking = asyncio.Lock()
        self._rest_until = 0.0

    async def latest(self) -> FlowState | None:
        """How it was a moment ago; None while PostgreSQL does not answer."""
        async with self._asking:
            started = time.monotonic()
            if started >= self._rest_until:
                self._latest = await self._ask()
                now = time.monotonic()
                # What was not answered has cost nothing.
                cost = now - started if self._latest else 0
                self._rest_until = now + max(SHORTEST_REST_SECONDS, REST_FACTOR * cost)
        return self._latest

    async def _ask(self) -> FlowState | None:
        try:
            rows = await self._database.fetch(self._query, MOST_PENDING, MOST_DEAD_LETTERS, within=PATIENCE)
        except Unavailable:
            return None
        return FlowState(**dict(rows[0]))
