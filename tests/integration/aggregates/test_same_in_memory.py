"""Any sequence of commands comes to the same in memory and in the databases."""

import asyncio
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orders.order import CancelOrder, Line, PayOrder, PlaceOrder, ShipOrder

import pairs
from tandem.aggregates import Rejection
from tandem.aggregates.messages import Sent
from tandem.delivery.idempotency import Idempotency, KeyReused

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))
numbers = count(1)


@pytest.fixture(scope="module")
async def in_databases(servers):
    async with pairs.in_databases(servers) as pair:
        yield pair


places = st.integers(0, 2)
keys = st.none() | st.sampled_from("ab")
creating = st.tuples(st.none(), st.builds(PlaceOrder, st.integers(1, 3), st.just(LINES)), keys, st.none())
changing = st.tuples(
    places,
    st.sampled_from((PayOrder(1600), PayOrder(1), ShipOrder("p"), CancelOrder("no"))),
    keys,
    st.none() | st.integers(1, 4),
)
batches = st.lists(st.lists(creating | changing, min_size=1, max_size=5), min_size=1, max_size=5)


class Played:
    """A sequence of commands on one pair, and what came of it, with places instead of ids."""

    def __init__(self, stores: pairs.Pair, life: int) -> None:
        self.stores = stores
        self.flow = stores.flow(life)
        self.ids: list[int] = []

    async def play(self, name: str, batch) -> list:
        sent = [self._sent(name, *step) for step in batch]
        outcomes = await asyncio.gather(*map(self.flow.execute, sent), return_exceptions=True)
        shown = [self._shown(one) for one in outcomes]
        for id_ in self.ids:
            # What is written back locks rows for a moment, and whoever meets that is decided again later.
            assert await self.flow.acknowledgements.is_synchronized(id_, 60)
        return shown

    def _sent(self, name: str, place, command, key, expected) -> Sent:
        id_ = None if place is None else self.ids[place] if place < len(self.ids) else 0
        body = repr((place, command)).encode()
        # Creates and changes go in two batches at a time: with one key, either may be first.
        full = Idempotency(f"{name} {place is None} {key}", body) if key else None
        return Sent(command, name, id_, None if expected is None else frozenset((expected,)), full)

    def _shown(self, outcome):
        if isinstance(outcome, (Rejection, KeyReused)):
            return type(outcome), str(outcome)
        if outcome.stored.id not in self.ids:
            self.ids.append(outcome.stored.id)
        stored = outcome.stored
        what = (self.ids.index(stored.id), stored.version, stored.state)
        return *what, outcome.is_changed, outcome.is_replayed

    async def left(self) -> list:
        """States, events and documents of all orders."""
        found = await self.stores.commands.read(self.ids)
        documents = await self.stores.documents.find_by_ids(self.ids)
        own = ("_id", "appId", "createdAt", "updatedAt")
        return [
            (
                (found[id_].version, found[id_].state, found[id_].seed),
                [
                    (one.version, one.event_type, one.event_data and msgspec.json.decode(one.event_data))
                    for one in await self.stores.commands.events(id_)
                ],
                {name: value for name, value in documents[id_].items() if name not in own},
            )
            for id_ in self.ids
        ]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequence=batches)
async def test_any_sequence_of_commands_comes_to_the_same_in_both(in_databases, sequence):
    name = f"sequence {next(numbers)}"
    both = [Played(stores, await stores.begin()) for stores in (pairs.in_memory(), in_databases)]
    for batch in sequence:
        in_memory, real = [await played.play(name, batch) for played in both]
        assert in_memory == real
    in_memory, real = [await played.left() for played in both]
    assert in_memory == real
