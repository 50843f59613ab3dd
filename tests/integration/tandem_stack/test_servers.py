"""The two servers as they are started: what is promised about durability, rights and secrets."""

from datetime import timedelta

import asyncpg
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from tandem.user_command.migrate import migrate


async def test_postgres_18_keeps_acknowledged_commits_safe(servers):
    connection = await asyncpg.connect(servers.postgres_owner_url)
    names = (
        "server_version_num",
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "server_encoding",
        "jit",
    )
    settings = {name: await connection.fetchval("select current_setting($1)", name) for name in names}
    await connection.close()
    assert int(settings.pop("server_version_num")) >= 180000
    assert settings == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "jit": "off",
    }


async def test_the_service_role_of_postgres_may_do_nothing_until_it_is_granted(databases):
    owner = await asyncpg.connect(databases.postgres_owner_url)
    await owner.execute("create table secret (id int)")
    await owner.close()
    service = await asyncpg.connect(databases.postgres_service_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.fetch("select * from secret")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute("create table mine (id int)")
    await service.close()


async def test_the_service_user_of_mongodb_has_the_documents_of_its_database_and_nothing_else(databases):
    async with AsyncMongoClient(databases.mongodb_service_url) as client:
        database = client.get_default_database()
        users = database.get_collection("users")
        await users.insert_one({"_id": 1})
        await users.update_one({"_id": 1}, {"$set": {"seed": "s"}})
        assert await users.find_one() == {"_id": 1, "seed": "s"}
        await users.delete_one({"_id": 1})
        # The collections of installed aggregates have names that nobody knows when the account is made.
        await database.get_collection("others").insert_one({"_id": 1})
        for refused in (
            users.create_index("email"),
            users.drop(),
            client.get_database("tandem_other").get_collection("users").find_one(),
        ):
            with pytest.raises(OperationFailure, match="not authorized"):
                await refused


async def test_the_owner_of_mongodb_prepares_its_database_and_watches_the_server(databases):
    async with AsyncMongoClient(databases.mongodb_owner_url) as client:
        users = client.get_default_database().get_collection("users")
        await users.create_index("email")
        assert (await client.admin.command("serverStatus"))["ok"] == 1
        assert (await client.admin.command("hello"))["setName"] == "tandem"


async def test_nobody_comes_in_without_a_password(servers):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            servers.postgres.url("postgres").replace(servers.postgres.memory.postgres_password, "no")
        )
    async with AsyncMongoClient("127.0.0.1", servers.mongodb.port, directConnection=True) as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            await client.admin.command("createUser", "intruder", pwd="x", roles=["root"])


async def test_two_pairs_of_databases_know_nothing_of_each_other(servers):
    first, second = await servers.new_databases(), await servers.new_databases()
    async with AsyncMongoClient(first.mongodb_owner_url) as client:
        await client.get_default_database().get_collection("users").insert_one({"_id": 1})
    async with AsyncMongoClient(second.mongodb_owner_url) as client:
        assert await client.get_default_database().get_collection("users").count_documents({}) == 0
    assert first.postgres_owner_url != second.postgres_owner_url


#: What makes one database differ from another: objects with their rights, settings, limits.
STATE = """
select jsonb_build_object(
    'schemas', (select jsonb_agg(array[nspname, nspowner::regrole::text, nspacl::text] order by nspname)
                from pg_namespace where nspname !~ '^pg_(toast_)?temp'),
    'relations', (select count(*) from pg_class where relnamespace = 'public'::regnamespace),
    'functions', (select count(*) from pg_proc),
    'types', (select count(*) from pg_type where typname !~ '^_?pg_'),
    'default rights', (select count(*) from pg_default_acl),
    'settings', (select count(*) from pg_db_role_setting),
    'database', (select array[datacl::text, datconnlimit::text] from pg_database
                 where datname = current_database()))
"""


async def test_databases_that_were_used_are_lent_again_as_they_were_made(servers):
    async def state(databases) -> str:
        connection = await servers.postgres.connect(
            "postgres", databases.postgres_owner_url.rpartition("/")[2]
        )
        try:
            return await connection.fetchval(STATE)
        finally:
            await connection.close()

    as_made = await state(await servers.new_databases())
    async with servers.lend_databases() as used:
        await migrate(used.postgres_owner_url, timedelta(seconds=30))
        owner = await asyncpg.connect(used.postgres_owner_url)
        name = used.postgres_owner_url.rpartition("/")[2]
        for statement in (
            "create schema another create table mine (id int)",
            "create function nothing() returns int language sql return 1",
            "alter default privileges grant select on tables to public",
            f"alter database {name} set default_transaction_read_only = on",
            f"alter database {name} connection limit 5",
        ):
            await owner.execute(statement)
        async with AsyncMongoClient(used.mongodb_owner_url) as client:
            await client.get_default_database().get_collection("others").insert_one({"_id": 1})
        assert await state(used) != as_made
    assert owner.is_closed()
    async with servers.lend_databases() as again, AsyncMongoClient(again.mongodb_owner_url) as client:
        assert again == used
        assert await state(again) == as_made
        assert await client.get_default_database().list_collection_names() == []
