"""Pairs of stores of orders, in memory and in databases, for tests that ask both the same."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from orders import ORDERS

from systems import open_system
from tandem.aggregates.flow import AggregateFlow, FlowPolicy
from tandem.aggregates.others import OtherStates
from tandem.aggregates.ports import CommandStore, DocumentStore, Stores, Tasks
from tandem.app.adapters import connected
from tandem.delivery.lease import Lease
from tandem.testing.stores import MemoryCommandStore, MemoryDocumentStore
from tandem.testing.tasks import MemoryTasks

AT_ONCE = FlowPolicy(projection_interval=timedelta(0), write_back_interval=timedelta(0))


async def nobody(ids):
    """There are no users."""
    return {}


@dataclass
class Pair:
    """Both stores of orders, and what belongs to them."""

    commands: CommandStore
    documents: DocumentStore
    tasks: Tasks
    #: Begins the life of an instance; its incarnation.
    begin: Callable[[], Awaitable[int]]
    #: Ends it.
    end: Callable[[int], Awaitable[None]]

    def flow(self, incarnation: int) -> AggregateFlow:
        others = OtherStates(nobody, {"order": self.commands})
        stores = Stores(self.commands, self.documents, others)
        return AggregateFlow(ORDERS, stores, lambda: incarnation, AT_ONCE)


def in_memory() -> Pair:
    """In memory."""
    lives: set[int] = set()
    incarnations = count(1)
    tasks = MemoryTasks([ORDERS], lives)
    commands = MemoryCommandStore(ORDERS, count(1), tasks)

    async def begin() -> int:
        lives.add(incarnation := next(incarnations))
        return incarnation

    async def end(incarnation: int) -> None:
        lives.remove(incarnation)

    return Pair(commands, MemoryDocumentStore("order"), tasks, begin, end)


@asynccontextmanager
async def in_databases(servers) -> AsyncIterator[Pair]:
    """In databases with nothing in them."""
    leases: dict[int, Lease] = {}
    async with (
        servers.lend_databases() as lent,
        open_system(lent, [ORDERS]) as system,
        connected(system.settings(), [ORDERS]) as adapters,
    ):

        async def begin() -> int:
            lease = Lease(adapters.database, f"life-{len(leases)}", timedelta(minutes=10))
            await lease.begin()
            leases[lease.incarnation] = lease
            return lease.incarnation

        async def end(incarnation: int) -> None:
            await leases[incarnation].end()

        own = adapters.own["order"]
        yield Pair(own.store, own.documents, adapters.reactions, begin, end)
