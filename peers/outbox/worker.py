"""Bring users from the outbox to MongoDB: in batches, each at least once, and so that twice does no harm.

It looks every 100 ms while there is nothing to do. With OUTBOX=notified PostgreSQL wakes it, and it looks
every 5 s in case that a notification was lost. Any number of workers may run; they take different rows.
"""

import asyncio
import logging
import os
from typing import Any

import asyncpg
from outbox import CHANNEL, NOTIFIES, Outgoing
from people import open_engine
from pymongo import AsyncMongoClient, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

BATCH = 100
IDLE_SECONDS = 5.0 if NOTIFIES else 0.1
RETRY_SECONDS = 1.0
POSTGRES_URL, MONGODB_URL = os.environ["POSTGRES_URL"], os.environ["MONGODB_URL"]

Documents = AsyncCollection[dict[str, Any]]


async def deliver(session: AsyncSession, documents: Documents) -> int:
    """Bring the oldest users to MongoDB that no other worker has; returns how many these were."""
    oldest = select(Outgoing).order_by(Outgoing.user_id).limit(BATCH).with_for_update(skip_locked=True)
    batch = (await session.scalars(oldest)).all()
    if batch:
        replaced = [ReplaceOne({"_id": row.user_id}, row.document, upsert=True) for row in batch]
        await documents.bulk_write(replaced, ordered=False)
        done = [row.user_id for row in batch]
        await session.execute(delete(Outgoing).where(Outgoing.user_id.in_(done)))
    return len(batch)


async def listen(woken: asyncio.Event) -> asyncpg.Connection:
    """A connection that sets `woken` whenever there is something to do, or when it is lost."""
    connection = await asyncpg.connect(POSTGRES_URL)
    await connection.add_listener(CHANNEL, lambda *_: woken.set())
    connection.add_termination_listener(lambda _: woken.set())
    return connection


async def work(documents: Documents) -> None:
    """Deliver until something fails."""
    sessions = async_sessionmaker(engine := open_engine())
    woken = asyncio.Event()
    listener = await listen(woken) if NOTIFIES else None
    try:
        while listener is None or not listener.is_closed():
            woken.clear()
            async with sessions.begin() as session:
                delivered = await deliver(session, documents)
            if not delivered:
                try:
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)
                except TimeoutError:
                    continue
    finally:
        if listener is not None:
            listener.terminate()
        await engine.dispose()


async def main() -> None:
    """Deliver for ever. What fails is tried again, as the rows are still there."""
    async with AsyncMongoClient(MONGODB_URL, w="majority", journal=True) as client:
        documents = client.get_default_database()["users"]
        while True:
            try:
                await documents.create_index("email")
                await work(documents)
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                SQLAlchemyError,
                PyMongoError,
            ) as error:
                logging.warning("The outbox has to wait: %s", error)
                await asyncio.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
