"""Transactions of others that stay open: whoever would have to wait for one does so alone."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ledger import Load, check_databases, send
from obstacles import sessions_of
from systems import commands, create
from tandem.app import run_instance
from tandem.cqrs import CreateUserCommand, Idempotency
from tandem.user import Location, Profile
from tandem.user.profile import Timezone
from tandem.user_command.idempotency import StillOpen
from tandem.user_command.run_samples import RunSamples, Sample
from waiting import until

OTHERS = 12
HOLD_KEYS = (
    "insert into prm_user (id, email, seed, app_id, status, version, created_at, idempotency_key, "
    "fingerprint) select 1000000 + n, 'x@example.com', 'x', 'x', 'CREATED', 1, now(), 'held-' || n, '' "
    "from generate_series(1, 3) n"
)


@asynccontextmanager
async def open_transaction(system, statement: str):
    """What `statement` does is neither committed nor rolled back before the end of the block."""
    other = await asyncpg.connect(system.urls.postgres_owner_url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(statement)
    try:
        yield
    finally:
        await transaction.rollback()
        await other.close()


async def test_keys_of_an_open_transaction_hold_up_nobody_else(system, serve):
    """Three are sent again and again, to two batches at a time."""
    client = (await serve()).client
    enough = False

    async def insist(number: int) -> set[tuple[int, str]]:
        told = set()
        while not enough:
            answer = await send(client, b'{"email": "held@example.com"}', key=f"held-{number}")
            told.add((answer.status_code, answer.headers.get("retry-after")))
        return told

    async with open_transaction(system, HOLD_KEYS):
        held = [asyncio.create_task(insist(number)) for number in (1, 2, 3)]
        # With keys, and without: those are in the same batches.
        async with Load([client], OTHERS, seed="others") as others:
            without = await asyncio.gather(
                *(send(client, b'{"email": "free@example.com"}') for _ in range(OTHERS))
            )
        enough = True
        assert [answer.status_code for answer in without] == [201] * OTHERS
        assert others.troubles == []
        for told in await asyncio.gather(*held):
            assert told == {(503, "1")}
        await system.until_synchronized(2 * OTHERS)
        assert (await client.get("/health/ready")).status_code == 200
    answer = await send(client, b'{"email": "held@example.com"}', key="held-1")
    assert answer.status_code == 201
    await system.until_synchronized(2 * OTHERS + 1)
    await check_databases(system)


async def test_in_a_batch_of_hundreds_those_alone_are_told_whose_keys_are_held(system, instance):
    batch = keyed(300, "free") + keyed(4, "held") + commands(10, "without")
    async with open_transaction(system, HOLD_KEYS):
        results = await asyncio.gather(*map(instance.commands.execute, batch), return_exceptions=True)
    refused = [number for number, result in enumerate(results) if isinstance(result, Exception)]
    # `held-0` is free.
    assert refused == [301, 302, 303]
    assert {type(results[number]) for number in refused} == {StillOpen}
    await system.until_synchronized(311)
    # What was tried to find out has left nothing behind.
    assert await system.count("select count(*) from prm_user") == 311


async def test_a_key_whose_transaction_ends_soon_is_waited_for_and_answered(system, serve):
    client = (await serve()).client
    async with open_transaction(system, HOLD_KEYS), sessions_of(system) as sessions:
        held = asyncio.create_task(send(client, b'{"email": "held@example.com"}', key="held-1"))
        await sessions.until_waiting_for_lock("instance-1")
    assert (await held).status_code == 201


@pytest.mark.parametrize(
    ("statement", "location"),
    [
        ("insert into prm_country (name) values ('Atlantis')", Location(country="Atlantis")),
        (
            "insert into prm_timezone (utc_offset, description) values ('+9:99', null)",
            Location(timezone=Timezone(offset="+9:99")),
        ),
    ],
    ids=["country", "time zone"],
)
async def test_a_country_of_an_open_transaction_holds_up_nobody_else(system, instance, statement, location):
    there = CreateUserCommand("run", Profile(email="there@example.com", location=location))
    async with open_transaction(system, statement):
        *others, refused = await asyncio.gather(
            *map(instance.commands.execute, [*commands(20), there]), return_exceptions=True
        )
        assert isinstance(refused, StillOpen)
        assert len({aggregate.user.id for aggregate in others}) == 20
        await system.until_synchronized(20)
    await create(instance, [there])
    await system.until_synchronized(21)


@pytest.mark.parametrize("table", ["prm_user_pending where user_id", "prm_user where id"])
async def test_a_locked_user_holds_up_no_other_users_way_back(system, instance, table):
    """Somebody looks at one user `for update` and goes for lunch."""
    async with held_back(instance):
        users = await create(instance, commands(30))
        other = await asyncpg.connect(system.urls.postgres_owner_url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute(f"select from {table} = {users[10].id} for update")
    await until_pending(system, {users[10].id})
    later = await create(instance, commands(10, "later"))
    await until_pending(system, {users[10].id})
    assert len(later) == 10
    await transaction.rollback()
    await other.close()
    await system.until_synchronized(40)
    await check_databases(system)


async def test_a_locked_dead_letter_does_not_hold_up_the_others(system, instance):
    users = await create(instance, commands(3))
    await system.until_synchronized(3)
    await system.postgres.execute(
        "insert into prm_user_dead_letter select id, 1, 'by hand', 'x', now() from prm_user"
    )
    locked = f"select from prm_user_dead_letter where user_id = {users[1].id} for update"
    async with open_transaction(system, locked):
        assert await instance.dead_letters.retry() == 2
        assert (await instance.dead_letters.count())[0] == 1
        with pytest.raises(StillOpen):
            await instance.dead_letters.retry(users[1].id)


async def test_an_instance_starts_although_somebody_has_locked_the_life_of_one_long_gone(system):
    await system.postgres.execute(
        "insert into tandem_instance (app_id, lease_until) values ('gone', now() - interval '1 day')"
    )
    async with (
        open_transaction(system, "select from tandem_instance for update"),
        run_instance(system.settings(database_timeout_seconds=5)) as instance,
    ):
        assert instance.lease.held


async def test_samples_of_an_open_transaction_do_not_take_the_live_view_away(system, instance):
    """An instance that is frozen while it keeps samples is such a one."""
    sample = "insert into prm_run_sample values ('run', 1, 1, 1, 1, 1, null)"
    live = instance.live
    async with open_transaction(system, sample):
        assert live is not None
        reader = RunSamples(instance.reads)
        keep = [Sample("run", 1, 1, 1, 1, 1, None)]
        snapshot = await reader.read({"run": 0}, keep, clear=False)
        assert [run.seed for run in snapshot.runs] == ["run"]


def keyed(count: int, name: str) -> list[CreateUserCommand]:
    return [
        CreateUserCommand("run", Profile(email=f"{n}@example.com"), Idempotency(f"{name}-{n}", b""))
        for n in range(count)
    ]


@asynccontextmanager
async def held_back(instance):
    """Let nothing reach MongoDB before the end of the block."""
    gate = asyncio.Event()
    service = instance.query_service
    original = service.create

    async def held(users):
        await gate.wait()
        return await original(users)

    service.create = held
    yield
    gate.set()


async def until_pending(system, expected: set[int]) -> None:
    async def is_so() -> bool:
        rows = await system.postgres.fetch("select user_id from prm_user_pending")
        return {row["user_id"] for row in rows} == expected

    await until(is_so, f"pending are {expected}")
