"""Commands over HTTP: a user's rows and its outbox row are committed together, or not at all."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker
from tables import CHANNEL, NOTIFIES, Location, Login, Outgoing, Picture, User, open_engine

from tandem_lab.baselines.plain_way.wire import Timezone, UserIn

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
        session.add(row)
        if NOTIFIES:
            await session.execute(select(func.pg_notify(CHANNEL, "")))
    return Created(id=row.id)


def row_of(user: UserIn) -> User:
    """The user with the rows that belong to it."""
    return User(
        **user.model_dump(include={"email", "gender", "phone", "cell", "nat"}),
        title=user.name.title,
        first_name=user.name.first,
        last_name=user.name.last,
        born_at=user.dob.date,
        age=user.dob.age,
        registered_at=user.registered.date,
        registered_age=user.registered.age,
        identity_name=user.id.name,
        identity_value=user.id.value,
        location=location_of(user),
        login=user.login and Login(**user.login.model_dump()),
        picture=user.picture and Picture(**user.picture.model_dump()),
        outgoing=Outgoing(document=user.model_dump(mode="json", exclude_none=True)),
    )


def location_of(user: UserIn) -> Location | None:
    """Where the user lives, if it says so."""
    if (place := user.location) is None:
        return None
    zone = place.timezone or Timezone()
    return Location(
        **place.model_dump(include={"city", "state", "country", "postcode"}),
        **place.coordinates.model_dump(),
        street_number=place.street.number,
        street_name=place.street.name,
        utc_offset=zone.offset,
        timezone=zone.description,
    )


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
