"""Idempotency keys of each kind of command, which may have come to this cell from others."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.flow import replay as replay_outcome
from tandem.aggregates.messages import Outcome
from tandem.aggregates.queries import queries_of
from tandem.app.adapters import Adapters
from tandem.app.cells import Store
from tandem.cqrs import UserCommandAggregate
from tandem.cqrs.user import KIND
from tandem.delivery.moved_keys import KeyTable, MovedKeys
from tandem.kernel.cells import SilentCells
from tandem.user_command.queries import QUERIES
from tandem.user_command.service import found_by_keys
from tandem.user_command.service import replay as replay_user

if TYPE_CHECKING:
    from tandem.app.bootstrap import Instance

R = TypeVar("R")


def keys_of_users(instance: "Instance") -> MovedKeys[UserCommandAggregate]:
    """Those of commands that create users."""

    def table(adapters: Adapters) -> KeyTable[UserCommandAggregate]:
        find = partial(found_by_keys, adapters.users)
        return KeyTable(adapters.database, KIND, QUERIES["find_held_keys"], find)

    return _keys(instance, table, replay_user)


def keys_of_aggregates(instance: "Instance", aggregate: Aggregate[Any]) -> MovedKeys[Outcome]:
    """Those of commands that create installed aggregates of this kind."""
    kind = aggregate.name

    def table(adapters: Adapters) -> KeyTable[Outcome]:
        held, store = queries_of(kind)["find_held_keys"], adapters.own[kind].store
        return KeyTable(adapters.database, kind, held, store.find_by_keys)

    return _keys(instance, table, replay_outcome)


def _keys(
    instance: "Instance", table: Callable[[Adapters], KeyTable[R]], replay: Callable[[R], R]
) -> MovedKeys[R]:
    cells = instance.cells.everywhere(lambda reads: reads.adapters, Store.POSTGRESQL)

    def other(number: int) -> KeyTable[R]:
        part = cells.part(number)
        if part is None or part.voice.is_silent:
            raise SilentCells([number])
        return table(part.source)

    return MovedKeys(instance.placement, table(cells.own), other, replay)
