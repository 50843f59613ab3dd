"""The command, its handler, and the event that the outbox keeps for MongoDB."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import cqrs
import di
from cqrs.bootstrap.requests import bootstrap
from di.dependent import Dependent
from people import open_engine, row_of
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tandem_lab.baselines.plain_way.wire import UserIn

logging.getLogger("cqrs").setLevel(logging.WARNING)  # the library sets DEBUG
engine = open_engine()
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Created(cqrs.PydanticResponse):
    """The user is committed."""

    id: int


class CreateUser(cqrs.PydanticRequest[Created]):
    """Create this user."""

    user: UserIn


class UserCreated(BaseModel):
    """What is told of it: the whole user, so that nobody has to ask again."""

    user_id: int
    document: dict[str, Any]


Event = cqrs.PydanticNotificationEvent[UserCreated]
cqrs.OutboxedEventMap.register("UserCreated", Event)


class CreateUserHandler(cqrs.RequestHandler[CreateUser]):
    """Writes the user and its event in one transaction."""

    def __init__(self, session: AsyncSession, outbox: cqrs.OutboxedEventRepository) -> None:
        self._session = session
        self._outbox = outbox

    async def handle(self, request: CreateUser) -> Created:
        row = row_of(request.user)
        self._session.add(row)
        await self._session.flush()
        document = request.user.model_dump(mode="json", exclude_none=True)
        payload = UserCreated(user_id=row.id, document=document)
        self._outbox.add(Event(event_name="UserCreated", topic="users", payload=payload))
        await self._outbox.commit()
        return Created(id=row.id)


async def session_of_request() -> AsyncIterator[AsyncSession]:
    """A session that lives until the mediator has sent the command."""
    async with sessions() as session:
        yield session


def outbox_of(session: AsyncSession) -> cqrs.OutboxedEventRepository:
    """The outbox in that session."""
    return cqrs.SqlAlchemyOutboxedEventRepository(session)


def new_mediator() -> cqrs.RequestMediator:
    """What finds the handler of a command, with what it needs."""
    container = di.Container()
    container.bind(di.bind_by_type(Dependent(session_of_request, scope="request"), AsyncSession))
    container.bind(di.bind_by_type(Dependent(outbox_of, scope="request"), cqrs.OutboxedEventRepository))
    return bootstrap(
        di_container=container,
        commands_mapper=lambda commands: commands.bind(CreateUser, CreateUserHandler),
        scope_strategy=cqrs.ScopeStrategy.SEND,
    )
