"""Commands over HTTP. The library blocks, so FastAPI runs each in one of its threads."""

import os
from typing import Annotated
from uuid import UUID, uuid4

import uvicorn
from eventsourcing.persistence import IntegrityError
from fastapi import FastAPI, Header
from pydantic import BaseModel
from users import User, Users, settings

from tandem_lab.baselines.plain_way.wire import UserIn

users = Users(env=settings())
app = FastAPI(title="Users as events")


class Created(BaseModel):
    """The answer: the user's event is committed."""

    id: UUID


@app.post("/users", status_code=201)
def create(user: UserIn, idempotency_key: Annotated[str | None, Header()] = None) -> Created:
    """Register the user, unless one was registered with this key."""
    key = idempotency_key or str(uuid4())
    try:
        return Created(id=users.register(key, user.model_dump(mode="json", exclude_none=True)))
    except IntegrityError:
        return Created(id=User.create_id(key))


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
