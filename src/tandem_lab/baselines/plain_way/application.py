"""The plain way over HTTP: a route to create a user, and one to find it by its e-mail address."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from tandem.mongodb.client import open_client
from tandem_lab.baselines.places import DEADLINE, fresh_collection, fresh_schema, settings
from tandem_lab.baselines.plain_way.storage import NAME, Storage, open_engine
from tandem_lab.baselines.plain_way.wire import UserIn, UserOut


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the schema and the collection afresh, but with KEEP_USERS for who has made them; connect."""
    servers, keep = settings(), "KEEP_USERS" in os.environ
    if not keep:
        await fresh_schema(servers.postgres_url, NAME)
    client = open_client(servers.mongodb_url, name=NAME, deadline=DEADLINE)
    engine = open_engine(servers.postgres_url)
    app.state.storage = Storage(engine, await fresh_collection(client, NAME, keep=keep))
    await app.state.storage.open()
    yield
    await engine.dispose()
    await client.close()


app = FastAPI(title="The plain way", lifespan=lifespan)


@app.post("/api/v1/user-command", status_code=201)
async def create(
    user: UserIn,
    seed: Annotated[str, Query(min_length=1, max_length=100)],
    request: Request,
    afterwards: BackgroundTasks,
) -> UserOut:
    """Commit the user, answer, then bring it to MongoDB. If that fails, the user stays CREATED."""
    storage: Storage = request.app.state.storage
    created = await storage.create(user, seed)
    afterwards.add_task(storage.project, created, user)
    return created


@app.get("/api/v1/user-query/email")
async def find_newest(email: str, request: Request) -> JSONResponse:
    """The newest user of an address."""
    storage: Storage = request.app.state.storage
    document = await storage.find_newest(email)
    if document is None:
        raise HTTPException(404, "MongoDB has no user with this e-mail address.")
    return JSONResponse(document)
