"""The outbox, a table beside those of users. `python outbox.py` makes what is missing of them."""

import asyncio
import os
from typing import Any

from people import Base, OfUser, User, open_engine
from sqlalchemy.orm import Mapped, relationship

#: Whether the worker is woken by a notification, and on which channel.
NOTIFIES = os.environ.get("OUTBOX") == "notified"
CHANNEL = "outbox"


class Outgoing(OfUser, Base):
    """A user that MongoDB does not have yet, as its document."""

    __tablename__ = "outbox"

    document: Mapped[dict[str, Any]]
    user: Mapped[User] = relationship()


async def make_tables() -> None:
    """Make what is missing."""
    engine = open_engine()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(make_tables())
