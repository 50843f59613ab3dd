"""Idempotency keys of each kind of command, which may have come to this cell from others."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tandem.aggregates.command_store import PostgresCommandStore
from tandem.aggregates.definition import Aggregate
from tandem.aggregates.flow import replay as replay_outcome
from tandem.aggregates.messages import Outcome
from tandem.aggregates.queries import queries_of
from tandem.config import Settings
from tandem.config.cells import WatchedCells
from tandem.cqrs import UserCommandAggregate
from tandem.cqrs.user import KIND
from tandem.delivery.moved_keys import KeyTable, MovedKeys
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.postgres.database import Database
from tandem.user_command.queries import QUERIES
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.service import found_by_keys
from tandem.user_command.service import replay as replay_user

if TYPE_CHECKING:
    from tandem.app.bootstrap import Instance

R = TypeVar("R")

# To PostgreSQL, for each other cell whose slots have come to this one.
_CONNECTIONS = 2


class OtherDatabases:
    """The PostgreSQL of other cells, connected to when it is first asked for."""

    def __init__(self, settings: Settings, cells: WatchedCells | None) -> None:
        self._name = f"{settings.app_id} (cell {settings.cell})"
        self._deadline = timedelta(seconds=settings.database_timeout_seconds)
        self._cells = cells
        # By their URLs, which may change.
        self._open: dict[str, Database] = {}
        self._opening = asyncio.Lock()

    async def of(self, number: int) -> Database:
        """That of the cell of this number.

        Raises:
            Unavailable: it cannot be reached.
        """
        cell = self._cells.latest.by_number.get(number) if self._cells else None
        if cell is None:
            raise Unavailable(f"PostgreSQL of cell {number} is not known")
        url = cell.postgres_url
        async with self._opening:
            if url not in self._open:
                try:
                    self._open[url] = await Database.connect(
                        url, name=self._name, deadline=self._deadline, connections=_CONNECTIONS
                    )
                except UnsuitableServer as error:
                    raise Unavailable(f"PostgreSQL of cell {number} cannot be used ({error})") from error
            return self._open[url]

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*(database.close() for database in self._open.values()))


def keys_of_users(instance: "Instance") -> MovedKeys[UserCommandAggregate]:
    """Those of commands that create users."""

    def table(database: Database) -> KeyTable[UserCommandAggregate]:
        users = UserCommandRepository(database, instance.settings.app_id)
        return KeyTable(database, KIND, QUERIES["find_held_keys"], partial(found_by_keys, users))

    return _keys(instance, table, replay_user)


def keys_of_aggregates(instance: "Instance", aggregate: Aggregate[Any]) -> MovedKeys[Outcome]:
    """Those of commands that create installed aggregates of this kind."""

    def table(database: Database) -> KeyTable[Outcome]:
        store = PostgresCommandStore(aggregate, database, instance.settings.app_id)
        held = queries_of(aggregate.name)["find_held_keys"]
        return KeyTable(database, aggregate.name, held, store.find_by_keys)

    return _keys(instance, table, replay_outcome)


def _keys(
    instance: "Instance", table: Callable[[Database], KeyTable[R]], replay: Callable[[R], R]
) -> MovedKeys[R]:
    async def other(number: int) -> KeyTable[R]:
        return table(await instance.other_databases.of(number))

    return MovedKeys(instance.placement, table(instance.adapters.database), other, replay)
