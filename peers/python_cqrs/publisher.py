"""Bring events from the outbox to MongoDB, by the library's producer: one by one, each at least once.

It looks every 100 ms while there is nothing to do. Only one may run: the library locks no rows.
`python publisher.py prepare` makes the tables that are missing.
"""

import asyncio
import logging
import os
import sys
from typing import Any

import asyncpg
import cqrs
from commands import engine, sessions
from cqrs.message_brokers.protocol import Message, MessageBroker
from cqrs.outbox.sqlalchemy import OutboxModel
from people import Base
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from sqlalchemy import Index
from sqlalchemy.exc import SQLAlchemyError

BATCH = 100
IDLE_SECONDS = 0.1
RETRY_SECONDS = 1.0

#: The library finds what is to be done by its status, among all that was ever done, and has no index for it.
Index("outbox_event_status", OutboxModel.event_status)


class Documents(MessageBroker):
    """MongoDB in the place of a message broker."""

    def __init__(self, users: AsyncCollection[dict[str, Any]]) -> None:
        self._users = users

    async def send_message(self, message: Message) -> None:
        """Write the user. MongoDB is waited for, as the library gives up a message that failed five times."""
        created = message.payload["payload"]
        while True:
            try:
                await self._users.replace_one({"_id": created["user_id"]}, created["document"], upsert=True)
                return
            except PyMongoError as error:
                logging.warning("MongoDB has to be waited for: %s", error)
                await asyncio.sleep(RETRY_SECONDS)


async def publish(broker: MessageBroker) -> None:
    """Publish until something fails."""
    async with sessions() as session:
        producer = cqrs.EventProducer(broker, cqrs.SqlAlchemyOutboxedEventRepository(session))
        async for messages in producer.event_batch_generator(BATCH):
            for message in messages:
                await producer.send_message(message)
            await producer.repository.commit()
            if not messages:
                await asyncio.sleep(IDLE_SECONDS)


async def main() -> None:
    """Publish for ever. What fails is tried again, as the rows are still there."""
    async with AsyncMongoClient(os.environ["MONGODB_URL"], w="majority", journal=True) as client:
        users = client.get_default_database()["users"]
        while True:
            try:
                await users.create_index("email")
                await publish(Documents(users))
            except (OSError, asyncpg.PostgresError, SQLAlchemyError, PyMongoError) as error:
                logging.warning("The outbox has to wait: %s", error)
                await asyncio.sleep(RETRY_SECONDS)


async def prepare() -> None:
    """Make the tables of users, and the library's."""
    async with engine.begin() as connection:
        for metadata in (Base.metadata, OutboxModel.metadata):
            await connection.run_sync(metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(prepare() if sys.argv[1:] == ["prepare"] else main())
