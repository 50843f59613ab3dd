"""However slots move back and forth, and whoever knows of it late: a key creates one user in all cells."""

import asyncio
import random
from collections import defaultdict
from contextlib import AsyncExitStack

import msgspec
import pytest
from orders import ORDERS
from orders.order import PlaceOrder

from cells_of_tests import CellsFileOfTests, open_cells
from placing import LINES
from systems import commands
from tandem.aggregates.messages import Sent
from tandem.app import run_instance
from tandem.app.keys import keys_of_aggregates, keys_of_users
from tandem.delivery.idempotency import Idempotency, StillOpen
from tandem.delivery.placement import Ownership, Placement
from tandem.kernel import Overloaded, Unavailable
from tandem.kernel.cells import OtherCell

KEYS = 300
SENDERS = 16
MOVES = 24
ORDER = PlaceOrder(4711, LINES)
#: What a client would send again for, to whichever cell.
AGAIN = (OtherCell, StillOpen, Unavailable, Overloaded)


class Contestant:
    """An instance, and its own view of who has which slot, which may be an old one."""

    def __init__(self, instance, file: CellsFileOfTests) -> None:
        self._instance = instance
        self._file = file
        self._keys = keys_of_users(instance)

    def learn(self, slots: list[list[int]], *, moving: bool) -> None:
        self._file.write(slots, moving=moving)
        self._instance.adapters.cells.look()

    async def create(self, command) -> int:
        execute = self._instance.flow.commands.execute
        aggregate = await self._keys.once(command.idempotency, lambda: execute(command))
        return aggregate.user.id


class Contest:
    """Clients that send the same keys to all instances, while slots move."""

    def __init__(self, contestants: list[Contestant], seed: int) -> None:
        self._contestants = contestants
        self._random = random.Random(seed)
        self._is_over = False
        #: The ids that each key was answered with.
        self.answers: dict[str, set[int]] = defaultdict(set)
        self.refusals: dict[str, int] = defaultdict(int)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SENDERS):
                tasks.create_task(self._send())
            await self._move()
            self._is_over = True

    async def _send(self) -> None:
        (template,) = commands(1)
        while not self._is_over:
            key = f"key-{self._random.randrange(KEYS)}"
            idempotency = Idempotency(key, key.encode())
            command = msgspec.structs.replace(template, idempotency=idempotency)
            try:
                found = await self._random.choice(self._contestants).create(command)
            except AGAIN as error:
                self.refusals[type(error).__name__] += 1
            else:
                self.answers[key].add(found)

    async def _move(self) -> None:
        """Half of the slots go to and fro. Some instances learn of it late, and some miss moves."""
        slots = [[0], [0], [1], [1]]
        for number in range(MOVES):
            to = (number + 1) % 2
            slots = [owners if place % 2 else [*owners, to] for place, owners in enumerate(slots)]
            moving = bool(self._random.randrange(2))
            for contestant in self._random.sample(self._contestants, len(self._contestants)):
                if self._random.random() < 0.7:
                    contestant.learn(slots, moving=moving)
                await asyncio.sleep(self._random.random() * 0.05)


async def doubled(cells) -> list[str]:
    """Keys that more than one user has."""
    sql = "select idempotency_key from prm_user where idempotency_key is not null"
    keys = [row[0] for system in cells.values() for row in await system.postgres.fetch(sql)]
    return sorted({key for key in keys if keys.count(key) > 1})


async def contest(cells, tmp_path, seed: int) -> Contest:
    async with AsyncExitStack() as stack:
        contestants = []
        for place, number in enumerate((0, 1, 0, 1)):
            file = CellsFileOfTests(tmp_path / f"cells-{place}.json", cells)
            file.write([[0], [0], [1], [1]])
            settings = cells[number].settings(f"i-{place}", cell=number, cells_file=str(file.path))
            contestants.append(Contestant(await stack.enter_async_context(run_instance(settings)), file))
        found = Contest(contestants, seed)
        await found.run()
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_key_creates_two_and_each_answer_is_the_same(cells, tmp_path, seed):
    found = await contest(cells, tmp_path, seed)
    assert await doubled(cells) == []
    assert {len(ids) for ids in found.answers.values()} == {1}
    # Nearly all keys were used, by both cells, and some were refused on the way.
    assert len(found.answers) > KEYS / 2
    assert {id_ % 10_000 for ids in found.answers.values() for id_ in ids} == {0, 1}
    assert found.refusals["OtherCell"] > 0
    claims = [
        await one.count("select count(*) from prm_user_key where user_id < 0") for one in cells.values()
    ]
    assert min(claims) > 0


async def test_without_claims_the_same_contest_makes_doubles(cells, tmp_path, monkeypatch):
    """It can fail."""
    real = Placement.ownership

    def careless(self, key: str, **terms: bool) -> Ownership:
        real(self, key, **terms)
        return Ownership()

    monkeypatch.setattr(Placement, "ownership", careless)
    found = await contest(cells, tmp_path, 1)
    assert await doubled(cells) != []
    assert max(len(ids) for ids in found.answers.values()) > 1


async def test_keys_of_installed_aggregates_move_as_well(servers, tmp_path):
    async with open_cells(servers, [0, 1], [ORDERS]) as cells, AsyncExitStack() as stack:
        file = CellsFileOfTests(tmp_path / "cells.json", cells)
        file.write([[0]])
        instances = []
        for number, system in cells.items():
            settings = system.settings(f"i-{number}", cell=number, cells_file=str(file.path))
            instances.append(await stack.enter_async_context(run_instance(settings, aggregates=[ORDERS])))
        flows = [instance.own.flows["order"] for instance in instances]
        keys = [keys_of_aggregates(instance, ORDERS) for instance in instances]

        async def place(number: int, key: str):
            sent = Sent(ORDER, "run", idempotency=Idempotency(key, key.encode()))
            return await keys[number].once(sent.idempotency, lambda: flows[number].creates.submit(sent))

        first = await place(0, "first")
        file.write([[0, 1]])
        for instance in instances:
            instance.adapters.cells.look()
        again = await place(1, "first")
        assert (again.stored.id, again.is_replayed) == (first.stored.id, True)
        new = await place(1, "new")
        assert new.stored.id % 10_000 == 1
        with pytest.raises(OtherCell):
            await place(0, "new")
        # What came before the slot moved, and was late.
        sent = Sent(ORDER, "run", idempotency=Idempotency("new", b"new"))
        with pytest.raises(OtherCell):
            await flows[0].creates.submit(sent)
        assert [await one.count("select count(*) from prm_order") for one in cells.values()] == [1, 1]
