"""An orderly stop ends in time, takes up nothing new, and leaves what is unfinished to others at once."""

import asyncio
from datetime import timedelta

from ledger import Load, check_agreement
from obstacles import failing_mongodb
from systems import commands, create
from tandem.app import run_instance
from tandem.kernel import Command, CommandBus

USERS = 40


async def test_all_that_is_stuck_together_gets_the_time_to_drain_once():
    """The bound is far from both: once is a tenth of a second, once for each would be ten seconds."""
    bus = CommandBus()

    async def never(command) -> None:
        await asyncio.Event().wait()

    for number in range(100):
        stuck = type(f"Stuck{number}", (Command,), {}, frozen=True)
        bus.register(stuck, never)
        bus.dispatch(stuck())
    try:
        async with asyncio.timeout(5):
            assert not await bus.drain(timedelta(seconds=0.1))
    finally:
        for coalescer in bus.coalescers:
            coalescer.stop()


def close_the_way_to_mongodb(instance) -> None:
    async def never(users):
        await asyncio.Event().wait()

    instance.query_service.create = never


async def test_who_is_told_to_stop_takes_up_no_more_of_others_users(system):
    async with run_instance(system.settings("dead", drain_seconds=0.01)) as dead:
        close_the_way_to_mongodb(dead)
        await create(dead, commands(3000))
    async with run_instance(system.settings("heir", drain_seconds=1)) as heir:
        close_the_way_to_mongodb(heir)
        while not heir.recovery.claimed:
            await asyncio.sleep(0)
    # At most the claim that was under way when it was told.
    assert heir.recovery.claimed <= 1000
    async with run_instance(system.settings("last")):
        await system.until_synchronized(3000)


async def test_stopped_while_mongodb_is_away_it_leaves_its_users_to_others_at_once(servers, system, serve):
    stopped = await serve("stopped", LEASE_SECONDS="3600", DRAIN_SECONDS="1")
    async with failing_mongodb(servers, "stopped", errorCode=14031) as failpoint:
        async with Load([stopped.client], USERS) as load:
            pass
        await failpoint.until_struck()
        assert await stopped.terminate() == 0
        await serve("other")
        await system.until_synchronized(USERS)
    await check_agreement(system, load.acknowledged)
