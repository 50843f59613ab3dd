"""Commands over HTTP, each handed to the mediator."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from commands import Created, CreateUser, engine, new_mediator
from fastapi import FastAPI

from tandem_lab.baselines.plain_way.wire import UserIn

mediator = new_mediator()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the pool in the end."""
    del app
    yield
    await engine.dispose()


app = FastAPI(title="Users by commands", lifespan=lifespan)


@app.post("/users", status_code=201)
async def create(user: UserIn) -> Created:
    """Commit the user and its event; then answer."""
    return await mediator.send(CreateUser(user=user))


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
