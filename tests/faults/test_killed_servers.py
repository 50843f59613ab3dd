"""A database server that is killed under load: what was acknowledged arrives, once."""

import signal

import asyncpg
import pytest

from ledger import Load, check_agreement

USERS_BEFORE, USERS_AFTER = 200, 200


async def strike(server, number: signal.Signals) -> None:
    server.process.send_signal(number)
    await server.process.wait()


@pytest.mark.slow
async def test_kill_9_of_mongodb_under_load_loses_and_doubles_nothing(own_servers, own_system, serve_own):
    clients = [(await serve_own(f"instance-{number}")).client for number in (1, 2)]
    async with Load(clients) as load:
        for _ in range(2):
            await load.until_more(USERS_BEFORE)
            await strike(own_servers.mongodb_server, signal.SIGKILL)
            await load.until_more(USERS_BEFORE)
            await own_servers.mongodb_server.start()
        await load.until_more(USERS_AFTER)
        load.enough()
    # Commands went on all the time.
    assert load.troubles == []
    await own_system.until_synchronized(len(load.acknowledged))
    await check_agreement(own_system, load.acknowledged)


@pytest.mark.slow
async def test_an_immediate_stop_of_postgresql_under_load_loses_and_doubles_nothing(
    own_servers, own_system, serve_own
):
    clients = [(await serve_own(f"instance-{number}", LEASE_SECONDS="2")).client for number in (1, 2)]
    async with Load(clients) as load:
        for _ in range(2):
            await load.until_more(USERS_BEFORE)
            await strike(own_servers.postgres_server, signal.SIGQUIT)
            await own_servers.postgres_server.start()
        await load.until_more(USERS_AFTER)
        load.enough()
    assert load.troubles
    own_system.postgres = await asyncpg.connect(own_system.urls.postgres_owner_url)
    await own_system.until_synchronized(len(load.acknowledged))
    await check_agreement(own_system, load.acknowledged)
