"""Migrations, roles and the refusals of servers that do not fit."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from command_line import run_tandem
from tandem.kernel import UnsuitableServer
from tandem.postgres.database import Database
from tandem.user_command.migrate import migrate
from tandem.user_command.schema import this_schema
from waiting import until


async def test_two_migrations_at_a_time_apply_each_file_once(databases):

    deadline = timedelta(seconds=30)
    applied = await asyncio.gather(*(migrate(databases.postgres_owner_url, deadline) for _ in range(3)))
    assert sorted(name for names in applied for name in names) == [
        one.name for one in this_schema().migrations.values()
    ]


def test_migrations_are_numbered_without_a_gap():
    numbers = list(this_schema().migrations)
    assert numbers == list(range(1, len(numbers) + 1))


async def test_migrate_says_what_it_did_and_then_that_nothing_is_left(databases):
    urls = {"POSTGRES_URL": databases.postgres_owner_url, "MONGODB_URL": databases.mongodb_owner_url}
    assert (await run_tandem("migrate", **urls))[1].startswith("Applied: 001_users.sql")
    assert await run_tandem("migrate", **urls) == (0, "Both databases are up to date.\n")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from prm_user",
        "update prm_user set seed = 'x'",
        "delete from prm_user_event",
        "update prm_user_event set version = 7",
        "drop table prm_user",
        "create table mine ()",
        "truncate prm_user_pending",
        "insert into tandem_migration values (99, 'x')",
    ],
)
async def test_the_service_role_may_do_no_more_than_it_needs(shared_system, statement):
    connection = await asyncpg.connect(shared_system.urls.postgres_service_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


async def test_an_instance_refuses_databases_that_are_not_migrated(databases):
    code, output = await run_tandem(
        "serve", POSTGRES_URL=databases.postgres_service_url, MONGODB_URL=databases.mongodb_service_url
    )
    assert code == 1
    assert "tandem migrate" in output
    assert "Traceback" not in output


async def test_an_instance_refuses_a_newer_schema(system):
    await system.postgres.execute("insert into tandem_migration values (99, 'future')")
    code, output = await run_tandem(
        "serve", POSTGRES_URL=system.urls.postgres_service_url, MONGODB_URL=system.urls.mongodb_service_url
    )
    assert code == 1
    assert "version 99" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"POSTGRES_URL": ""}, "POSTGRES_URL is not set"),
        ({"POSTGRES_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "127.0.0.1:1"),
        ({"POSTGRES_URL": "nonsense"}, "POSTGRES_URL"),
        ({"MONGODB_URL": "mongodb://u:secret@127.0.0.1:1/x"}, "127.0.0.1:1"),
        ({"MONGODB_URL": "nonsense"}, "MONGODB_URL"),
        ({"PORT": "many"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
    ],
)
async def test_a_bad_setting_is_one_sentence_with_what_to_do(shared_system, environment, said):
    urls = shared_system.urls
    good = {"POSTGRES_URL": urls.postgres_service_url, "MONGODB_URL": urls.mongodb_service_url}
    code, output = await run_tandem("serve", **(good | environment))
    assert code == 1
    assert said in output
    assert "secret" not in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1


async def is_refused(database: Database, setting: str) -> bool:
    try:
        await database.require_durability()
    except UnsuitableServer as error:
        return setting in str(error)
    return False


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_loses_commits_is_refused(system, servers, setting):
    admin = await servers.postgres.connect("postgres", "postgres")
    await admin.execute(f"alter system set {setting} = off")
    await admin.execute("select pg_reload_conf()")
    try:
        database = await Database.connect(
            system.urls.postgres_service_url, name="test", deadline=timedelta(seconds=10)
        )
        while (await admin.fetchval(f"show {setting}")) == "on":
            await asyncio.sleep(0.01)
        # Each session hears of the new setting a moment later.
        await until(lambda: is_refused(database, setting), f"refused because of {setting}")
        await database.close()
    finally:
        await admin.execute(f"alter system reset {setting}")
        await admin.execute("select pg_reload_conf()")
        await admin.close()
