"""Idempotency keys of each kind of command, which may have come to this cell from others."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tandem.aggregates.command_store import PostgresCommandStore
from tandem.aggregates.definition import Aggregate
from tandem.aggregates.flow import replay as replay_outcome
from tandem.aggregates.messages import Outcome
from tandem.aggregates.queries import queries_of
from tandem.cqrs import UserCommandAggregate
from tandem.cqrs.user import KIND
from tandem.delivery.moved_keys import KeyTable, MovedKeys
from tandem.postgres.database import Database
from tandem.user_command.queries import QUERIES
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.service import found_by_keys
from tandem.user_command.service import replay as replay_user

if TYPE_CHECKING:
    from tandem.app.bootstrap import Instance

R = TypeVar("R")


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
    def other(number: int) -> KeyTable[R]:
        return table(instance.cells.database(number))

    return MovedKeys(instance.placement, table(instance.adapters.database), other, replay)
