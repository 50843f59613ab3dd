"""One rebuild at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tandem.kernel import UnsuitableServer
from tandem.postgres.database import unreachable
from tandem.postgres.faults import DRIVER_ERRORS
from tandem.postgres.hosts import open_session
from tandem.projections.followed import QUERIES
from tandem.projections.row import RebuildError

ANSWER_SECONDS = 10.0


@asynccontextmanager
async def sole_rebuild(postgres_url: str) -> AsyncIterator[Callable[[], bool]]:
    """Let no other rebuild run during the block. PostgreSQL lets go of a killed one by itself.

    Yields: whether that is over, since the connection is lost.

    Raises:
        UnsuitableServer: PostgreSQL cannot be used.
        RebuildError: another one runs, or this role may not rebuild.
    """
    try:
        session = await open_session(postgres_url, ANSWER_SECONDS)
        (row,) = await session.fetch(QUERIES["lock_rebuild"].sql, timeout=ANSWER_SECONDS)
    except DRIVER_ERRORS as error:
        raise UnsuitableServer(unreachable(postgres_url, error)) from error
    try:
        if not row["is_owners"]:
            msg = "This role may not rebuild. Name the databases by their owner's URLs, as to migrate."
            raise RebuildError(msg)
        if not row["is_ours"]:
            msg = "Another rebuild is running. Wait until it has ended."
            raise RebuildError(msg)
        yield session.is_closed
    finally:
        # It waits for nothing. The lock goes with the connection.
        session.terminate()
