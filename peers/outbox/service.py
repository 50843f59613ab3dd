"""Commands over HTTP: a user's rows and its outbox row are committed together, or not at all."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from outbox import CHANNEL, NOTIFIES, Outgoing
from people import open_engine, row_of
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker

from tandem_lab.baselines.plain_way.wire import UserIn

engine = open_engine()
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Created(BaseModel):
    """The answer: the user is committed."""

    id: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the pool in the end."""
    del app
    yield
    await engine.dispose()


app = FastAPI(title="Users with an outbox", lifespan=lifespan)


@app.post("/users", status_code=201)
async def create(user: UserIn) -> Created:
    """Commit the user, and that MongoDB has yet to get it; then answer."""
    row = row_of(user)
    async with sessions.begin() as session:
        session.add(Outgoing(user=row, document=user.model_dump(mode="json", exclude_none=True)))
        if NOTIFIES:
            await session.execute(select(func.pg_notify(CHANNEL, "")))
    return Created(id=row.id)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
