"""Reactions survive the instance that began them: they are repeated, and nothing is done twice."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from bank import accounts
from systems import open_system
from tandem.aggregates import Rejection
from tandem.aggregates.messages import Sent
from tandem.app import run_instance
from waiting import until

bank = accounts()
OpenAccount, Transfer = bank.domain.OpenAccount, bank.domain.Transfer


@pytest.fixture
async def system(databases):
    async with open_system(databases, [bank.ACCOUNTS]) as opened:
        yield opened


def instance(system, app_id="instance-1", do=bank.deliver, **settings):
    """An instance whose reaction to MoneySent is `do`."""
    [reaction] = bank.ACCOUNTS.reactions
    aggregate = replace(bank.ACCOUNTS, reactions=[replace(reaction, do=do)])
    return run_instance(system.settings(app_id, **settings), aggregates=[aggregate])


async def send(instance, id_, command) -> int:
    outcome = await instance.own.flows["account"].execute(Sent(command, "run", id_))
    return outcome.stored.id


async def cents(system) -> dict[int, int]:
    rows = await system.postgres.fetch("select account_id, cents from prm_account_head")
    return {row["account_id"]: row["cents"] for row in rows}


async def until_all_is_done(system) -> None:
    async def nothing_is_left() -> bool:
        tables = ("tandem_reaction", "prm_account_pending")
        return [await system.count(f"select count(*) from {table}") for table in tables] == [0, 0]

    await until(nothing_is_left, "nothing left to do")


async def count_events(system, event_type: str) -> int:
    return await system.count("select count(*) from prm_account_event where event_type = $1", event_type)


class Frozen:
    """The reaction of the page, stopped right after its first command: what a frozen instance looks like."""

    def __init__(self) -> None:
        self.stopped, self.goes_on = asyncio.Event(), asyncio.Event()
        self.ended_by: BaseException | None = None

    async def do(self, sent, reach) -> None:
        try:
            await bank.deliver(sent, self._stopping(reach))
        except BaseException as error:
            self.ended_by = error
            raise

    def _stopping(self, reach):
        frozen = self

        class Stopping:
            async def send(self, *arguments) -> int:
                try:
                    return await reach.send(*arguments)
                finally:
                    frozen.stopped.set()
                    await frozen.goes_on.wait()

        return Stopping()


@asynccontextmanager
async def without_lease(system, app_id: str):
    """Meanwhile, the lease of this instance has run out, and cannot be renewed, as its row is locked."""
    end = "update tandem_instance set lease_until = now() - interval '1 minute' where app_id = $1"
    lock = "select lease_until < now() from tandem_instance where app_id = $1 for update"
    connection = await asyncpg.connect(system.urls.postgres_owner_url)
    try:
        is_ended = False
        while not is_ended:  # it may be renewed in between
            await connection.execute(end, app_id)
            transaction = connection.transaction()
            await transaction.start()
            if not (is_ended := await connection.fetchval(lock, app_id)):
                await transaction.rollback()
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def frozen_in_a_transfer(system, amount: int, to: int | None = None):
    """An instance that stands still after the first command of a transfer, and whose lease has ended."""
    frozen = Frozen()
    async with instance(system, "frozen", frozen.do, lease_seconds=3_600) as running:
        sender = await send(running, None, OpenAccount("Ada", 100))
        to = to or await send(running, None, OpenAccount("Bob", 100))
        await send(running, sender, Transfer(to, amount))
        await frozen.stopped.wait()
        async with without_lease(system, "frozen"):
            yield frozen, sender, to
        frozen.goes_on.set()


async def test_money_arrives_and_what_cannot_arrive_comes_back(system):
    async with instance(system) as running:
        ada = await send(running, None, OpenAccount("Ada", 100))
        bob = await send(running, None, OpenAccount("Bob", 100))
        await send(running, ada, Transfer(bob, 60))
        await send(running, bob, Transfer(4711, 10))
        with pytest.raises(Rejection, match="There are 40 cents"):
            await send(running, ada, Transfer(bob, 41))
        await until_all_is_done(system)
    assert await cents(system) == {ada: 40, bob: 160}
    assert await count_events(system, "MoneyReturned") == 1


async def test_another_instance_repeats_a_reaction_and_nothing_arrives_twice(system):
    async with frozen_in_a_transfer(system, 60) as (frozen, ada, bob):
        async with instance(system, "survivor"):
            await until_all_is_done(system)
        assert await cents(system) == {ada: 40, bob: 160}
        frozen.goes_on.set()
    assert await cents(system) == {ada: 40, bob: 160}
    assert await count_events(system, "MoneyReceived") == 1


async def open_until(instance, id_: int) -> None:
    """Open accounts until one has this id."""
    while await send(instance, None, OpenAccount("Bob", 100)) < id_:
        pass


async def next_id_but(system, count: int) -> int:
    """The id that is given after so many others."""
    last = "select last_value - (not is_called)::integer from prm_user_id_seq"
    return await system.count(last) + count + 1


async def test_what_was_rejected_once_is_rejected_again(system):
    """Else the repeated reaction would deliver what the first one is about to give back."""
    bob = await next_id_but(system, 1)
    async with frozen_in_a_transfer(system, 60, to=bob) as (_, ada, _nobody):
        async with run_instance(
            system.settings("other"), aggregates=[replace(bank.ACCOUNTS, reactions=[])]
        ) as other:
            await open_until(other, bob)
        async with instance(system, "survivor"):
            await until_all_is_done(system)
        assert await cents(system) == {ada: 100, bob: 100}
    assert await cents(system) == {ada: 100, bob: 100}
    assert await count_events(system, "MoneyReturned") == 1


async def test_who_comes_too_late_delivers_nothing_that_has_come_back(system):
    """An instance that was frozen before it did anything goes on when another one has done it all."""
    bob = await next_id_but(system, 1)
    late, began, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def delayed(sent, reach) -> None:
        began.set()
        await late.wait()
        try:
            await bank.deliver(sent, reach)
        finally:
            ended.set()

    async with instance(system, "frozen", delayed, lease_seconds=3_600) as frozen:
        ada = await send(frozen, None, OpenAccount("Ada", 100))
        await send(frozen, ada, Transfer(bob, 60))
        await began.wait()
        async with without_lease(system, "frozen"), instance(system, "survivor") as survivor:
            await until_all_is_done(system)
            await open_until(survivor, bob)
        late.set()
        await ended.wait()
    assert await cents(system) == {ada: 100, bob: 100}
    assert await count_events(system, "MoneyReturned") == 1


async def test_a_reaction_that_fails_is_tried_again_and_says_why(system):
    calls = []

    async def failing(sent, reach) -> None:
        calls.append(sent.id)
        if len(calls) == 1:
            raise ZeroDivisionError
        await bank.deliver(sent, reach)

    async with instance(system, do=failing) as running:
        ada = await send(running, None, OpenAccount("Ada", 100))
        await send(running, ada, Transfer(ada, 10))

        async def says_why() -> bool:
            return await system.count(
                "select count(*) from tandem_reaction where error = 'ZeroDivisionError'"
            )

        await until(says_why, "a reaction that says why it failed")
        await system.postgres.execute("update tandem_reaction set not_before = null")
        await until_all_is_done(system)
    assert calls == [ada, ada]
    assert await cents(system) == {ada: 100}


async def test_reactions_wait_for_an_instance_that_knows_them(system):
    aggregate = replace(bank.ACCOUNTS, reactions=[])
    async with instance(system) as running:
        ada = await send(running, None, OpenAccount("Ada", 100))
    # A program of the version before, which has no reactions, on a database that has their triggers.
    async with run_instance(system.settings("old"), aggregates=[aggregate]) as old:
        await send(old, ada, Transfer(ada, 10))
        await until(lambda: is_pending_reaction(system), "the reaction is a row")
    async with instance(system, "new"):
        await until_all_is_done(system)
    assert await cents(system) == {ada: 100}


async def is_pending_reaction(system) -> bool:
    return await system.count("select count(*) from tandem_reaction") == 1


async def test_an_event_that_cannot_be_read_holds_up_no_other_reaction(system):
    without = replace(bank.ACCOUNTS, reactions=[])
    async with run_instance(system.settings("old"), aggregates=[without]) as old:
        ada = await send(old, None, OpenAccount("Ada", 100))
        bob = await send(old, None, OpenAccount("Bob", 100))
        for sender, to in ((ada, bob), (bob, ada)):
            await send(old, sender, Transfer(to, 10))
    damaged = """update prm_account_event set event_data = '{"to": "nobody"}'
                 where event_type = 'MoneySent' and account_id = $1"""
    await system.postgres.execute(damaged, ada)

    async def is_shown() -> bool:
        rows = await system.postgres.fetch("select id, error from tandem_reaction where error is not null")
        why = "its event cannot be read: Expected `int`, got `str` - at `$.to`"
        return [tuple(row) for row in rows] == [(ada, why)]

    async with instance(system, "new"):
        await until(is_shown, "the reaction to the damaged event says why it is left")
        await until(lambda: is_pending_reaction(system), "the other one is done")
    assert await cents(system) == {ada: 100, bob: 90}
