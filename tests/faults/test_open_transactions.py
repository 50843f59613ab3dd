"""Commits do not come in the order of ids, and whoever comes late is not forgotten."""

import asyncio

import asyncpg
from ledger import Load, check_databases, send
from obstacles import sessions_of

LATER = 20


async def test_a_user_arrives_whose_transaction_stays_open_while_later_ones_are_finished(system, serve):
    """What holds it open is a transaction of somebody else's, who has used its key and then gives up."""
    client = (await serve()).client
    other = await asyncpg.connect(system.urls.postgres_owner_url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(
        "insert into prm_user (id, email, seed, app_id, status, version, created_at, idempotency_key, "
        "fingerprint) values (1000000, 'x@example.com', 'x', 'x', 'CREATED', 1, now(), 'held', '')"
    )
    held = asyncio.create_task(send(client, b'{"email": "held@example.com"}', key="held"))
    async with sessions_of(system) as sessions:
        await sessions.until_waiting_for_lock("instance-1")
    async with Load([client], LATER, seed="later") as later:
        pass
    await system.until_synchronized(LATER)
    assert not held.done()

    await transaction.rollback()
    await other.close()
    answer = await held
    assert answer.status_code == 201
    assert answer.json()["id"] < min(later.acknowledged.values())
    await system.until_synchronized(LATER + 1)
    await check_databases(system)
