"""A database becomes a cell: its ids name it from then on, and all that was there goes on."""

import asyncio

import asyncpg
import pytest

from command_line import run_tandem
from ledger import Load
from systems import commands, create, open_system
from tandem.app import run_instance
from tandem.ids import CELL_STEP, FIRST_ID_OF_CELLS, HIGHEST_ID, cell_of
from tandem.kernel import UnsuitableServer
from tandem.user_command.history import SKIPPED_IDS
from tandem.user_command.repository import UserCommandRepository
from waiting import until


async def migrated(databases, cell: int) -> tuple[int, str]:
    """What `tandem migrate` says with this CELL."""
    return await run_tandem(
        "migrate",
        POSTGRES_URL=databases.postgres_owner_url,
        MONGODB_URL=databases.mongodb_owner_url,
        CELL=str(cell),
    )


@pytest.fixture
async def cell_7(databases):
    """Databases of cell 7, with nothing in them."""
    code, said = await migrated(databases, 7)
    assert code == 0, said
    assert said.strip().endswith("cell 7.")
    async with open_system(databases) as opened:
        yield opened


async def test_ids_of_a_cell_end_with_its_number_and_reach_mongodb(cell_7):
    async with run_instance(cell_7.settings(cell=7)) as instance:
        users = await create(instance, commands(30))
        assert {cell_of(user.id) for user in users} == {7}
        assert sorted(user.id for user in users) == [
            FIRST_ID_OF_CELLS + 7 + step * CELL_STEP for step in range(30)
        ]
        await cell_7.until_synchronized(30)
        assert await cell_7.users.count_documents({}) == 30
        assert await instance.adapters.completeness.through() == max(user.id for user in users)
        events = await cell_7.postgres.fetchval(
            "select distinct tableoid::regclass::text from prm_user_event"
        )
        assert events == "prm_user_event_p1000000000000"


async def test_migrating_again_changes_nothing_and_another_number_is_refused(cell_7):
    async with run_instance(cell_7.settings(cell=7)) as instance:
        (user,) = await create(instance, commands(1))
        assert await migrated(cell_7.urls, 7) == (0, "Both databases are up to date.\n")
        code, said = await migrated(cell_7.urls, 8)
        assert code == 1
        assert (
            said.startswith("tandem: This database is cell 7, and CELL is 8.")
            or "cell 7, and CELL is 8" in said
        )
        assert "Traceback" not in said
        (later,) = await create(instance, commands(1, "later"))
        assert later.id == user.id + CELL_STEP


@pytest.mark.parametrize(("cell", "why"), [(-1, "CELL is not set"), (8, "CELL is 8")])
async def test_an_instance_of_another_cell_or_none_is_refused(cell_7, cell, why):
    with pytest.raises(UnsuitableServer, match=rf"This database is cell 7, and {why}\. Set CELL=7"):
        async with run_instance(cell_7.settings(cell=cell)):
            pass


async def test_a_cell_without_its_databases_is_refused(system):
    with pytest.raises(UnsuitableServer, match=r"do not name a cell. Run `tandem migrate` with CELL=3"):
        async with run_instance(system.settings(cell=3)):
            pass


async def test_a_sequence_that_somebody_has_set_to_another_remainder_is_refused(cell_7):
    await cell_7.postgres.execute("select setval('prm_user_id_seq', 1000000000008)")
    with pytest.raises(UnsuitableServer, match="This database is cell 8"):
        async with run_instance(cell_7.settings(cell=7)):
            pass


async def test_a_database_with_users_can_be_cell_0_only(system, instance):
    await create(instance, commands(3))
    code, said = await migrated(system.urls, 5)
    assert code == 1
    assert "only cell 0 may have such" in said
    (user,) = await create(instance, commands(1, "later"))
    assert user.id == 4


async def test_after_a_restore_the_ids_go_on_far_ahead_and_name_the_same_cell(cell_7):
    async with run_instance(cell_7.settings(cell=7)) as instance:
        users = await create(instance, commands(5))
        # As after a backup that had none of them: MongoDB alone knows.
        await cell_7.until_synchronized(5)
        await cell_7.postgres.execute("alter sequence prm_user_id_seq restart")
        instance.adapters.history.doubt()

        async def is_moved() -> bool:
            return await cell_7.count("select max(number) from tandem_history") == 2

        await until(is_moved, "the sequence moved ahead")
        (later,) = await create(instance, commands(1, "later"))
        assert cell_of(later.id) == 7
        assert later.id == max(user.id for user in users) + CELL_STEP * SKIPPED_IDS
        assert await cell_7.count("select count(*) from prm_user_event where user_id = $1", later.id) >= 1


async def test_a_promoted_standby_s_cell_stays_the_same(cell_7):
    """As if the server's timeline were another one: the last history that was noted is not this one."""
    await cell_7.postgres.execute("insert into tandem_history values (1, 'other/1/1', 0, 1)")
    async with run_instance(cell_7.settings(cell=7)) as instance:
        users = await create(instance, commands(2))
    assert {cell_of(user.id) for user in users} == {7}
    assert min(user.id for user in users) > FIRST_ID_OF_CELLS + CELL_STEP * (SKIPPED_IDS - 1)


async def test_all_ids_of_a_cell_are_used_up_before_its_step_leaves_the_highest(cell_7):
    async with run_instance(cell_7.settings(cell=7)) as instance:
        repository: UserCommandRepository = instance.adapters.users
        last = HIGHEST_ID - (HIGHEST_ID - 7) % CELL_STEP
        assert last + CELL_STEP > HIGHEST_ID
        await cell_7.postgres.execute("select setval('prm_user_id_seq', $1)", last - CELL_STEP)
        assert await repository.has_ids_left()
        await cell_7.postgres.execute("select setval('prm_user_id_seq', $1)", last)
        assert not await repository.has_ids_left()


@pytest.fixture
async def dense(system, serve):
    """Two instances of a system without cells, with 50 users that were created and changed."""
    served = [await serve(f"instance-{number}") for number in (1, 2)]
    clients = [one.client for one in served]
    async with Load(clients, 50, seed="before") as load:
        pass
    return served, load.acknowledged


async def test_a_system_becomes_cell_0_under_load_and_nobody_notices(system, serve, dense):
    served, before = dense
    clients = [one.client for one in served]
    async with Load(clients, seed="meanwhile") as load:
        await load.until_more(30)
        code, said = await migrated(system.urls, 0)
        assert code == 0, said
        await load.until_more(30)
        # Instances are started again one by one, with their cell.
        for one in list(served):
            await one.terminate()
            clients.append(
                (await serve(f"{one.app_id}-again", CELL="0", PORT=str(one.client.base_url.port))).client
            )
        await load.until_more(30)
        load.enough()
    assert not {trouble for trouble in load.troubles if "503" not in trouble and "Error" not in trouble}
    ids = [*before.values(), *load.acknowledged.values()]
    assert len(set(ids)) == len(ids)
    assert {cell_of(id_) for id_ in ids} == {0}
    dense_ids = {id_ for id_ in ids if id_ < FIRST_ID_OF_CELLS}
    assert 50 < len(dense_ids) < len(ids)
    await system.until_synchronized(len(ids))
    assert {document["_id"] async for document in system.users.find({}, {"_id": 1})} == set(ids)

    client = clients[-1]
    for id_ in (min(ids), max(ids)):
        changed = await client.patch(
            f"/api/v1/user-command/{id_}", json={"phone": "1"}, headers={"Prefer": "wait=10"}
        )
        assert changed.status_code == 200, changed.text
        assert (await client.get(f"/api/v1/user-query/{id_}")).json()["phone"] == "1"
    assert (await client.get("/api/v1/user-query?complete=true&limit=1")).headers["complete-through"] == str(
        max(ids)
    )
    code, said = await run_tandem(
        "verify", POSTGRES_URL=system.urls.postgres_owner_url, MONGODB_URL=system.urls.mongodb_owner_url
    )
    assert code == 0, said


async def test_events_from_before_and_after_are_archived_and_read(system, serve, tmp_path):
    folder = tmp_path / "archive"
    client = (await serve(EVENT_ARCHIVE_DIR=str(folder))).client
    wait = {"Prefer": "wait=10"}
    for_all = {"POSTGRES_URL": system.urls.postgres_owner_url, "MONGODB_URL": system.urls.mongodb_service_url}
    archive = ("events", "archive", "--to", str(folder), "--older-than", "0")

    async def created() -> int:
        answer = await client.post("/api/v1/user-command?seed=run", json={"email": "a@x"}, headers=wait)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    dense_id = await created()
    assert (await migrated(system.urls, 0))[0] == 0
    first = await created()
    # All ids of the first partition of cell 0's are given.
    await system.postgres.execute(
        "select setval('prm_user_id_seq', $1)", FIRST_ID_OF_CELLS + 5_000_000 * CELL_STEP
    )
    await created()
    before = [(await client.get(f"/api/v1/user-command/{id_}/events")).json() for id_ in (dense_id, first)]
    code, said = await run_tandem(*archive, **for_all)
    assert code == 0, said
    assert (
        await system.count("select count(*) from prm_user_event where user_id = any($1)", [dense_id, first])
        == 0
    )
    after = [(await client.get(f"/api/v1/user-command/{id_}/events")).json() for id_ in (dense_id, first)]
    assert after == before
    code, said = await run_tandem("events", "check", **for_all, EVENT_ARCHIVE_DIR=str(folder))
    assert code == 0, said
    assert "Events of 3 users" in said


WAITING = """
select count(*) from pg_stat_activity
where application_name = 'tandem migrate' and wait_event_type = 'Lock' and datname = current_database()
"""


async def test_becoming_a_cell_waits_for_who_has_taken_an_id_and_holds_up_nobody_for_long(system, instance):
    taker = await asyncpg.connect(system.urls.postgres_service_url)
    transaction = taker.transaction()
    await transaction.start()
    taken = await taker.fetchval("select nextval('prm_user_id_seq')")
    migrating = asyncio.create_task(migrated(system.urls, 0))
    # It waits, gives up for a moment, so that others go on, and says so.

    async def waits() -> bool:
        return bool(await system.count(WAITING))

    for number in range(2):
        await until(waits, "a try to take the lock")
        # Creates queue behind the one that waits, so this returns only because it rests.
        await create(instance, commands(1, f"meanwhile{number}"))
    assert not migrating.done()
    await transaction.rollback()
    await taker.close()
    code, said = await migrating
    assert code == 0, said
    assert "waits for a lock" in said
    (user,) = await create(instance, commands(1, "after"))
    assert taken < FIRST_ID_OF_CELLS == user.id
