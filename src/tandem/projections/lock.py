"""One rebuild at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tandem.projections.followed import QUERIES
from tandem.projections.row import RebuildError

ANSWER_SECONDS = 10.0


@asynccontextmanager
async def sole_rebuild(postgres_url: str) -> AsyncIterator[None]:
    """Let no other rebuild run during the block. PostgreSQL lets go of a killed one by itself.

    Raises:
        RebuildError: another one runs, or this role may not rebuild.
    """
    session = await asyncpg.connect(postgres_url, timeout=ANSWER_SECONDS, command_timeout=ANSWER_SECONDS)
    try:
        (row,) = await session.fetch(QUERIES["lock_rebuild"].sql)
        if not row["is_owners"]:
            msg = "This role may not rebuild. Name the databases by their owner's URLs, as to migrate."
            raise RebuildError(msg)
        if not row["is_ours"]:
            msg = "Another rebuild is running. Wait until it has ended."
            raise RebuildError(msg)
        yield
    finally:
        await session.close(timeout=ANSWER_SECONDS)
