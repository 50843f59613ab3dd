"""The two servers as they are started: what is promised about durability, rights and secrets."""

import asyncpg
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure


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


async def test_the_service_user_of_mongodb_has_the_users_collection_and_nothing_else(databases):
    async with AsyncMongoClient(databases.mongodb_service_url) as client:
        database = client.get_default_database()
        users = database.get_collection("users")
        await users.insert_one({"_id": 1})
        await users.update_one({"_id": 1}, {"$set": {"seed": "s"}})
        assert await users.find_one() == {"_id": 1, "seed": "s"}
        await users.delete_one({"_id": 1})
        for refused in (
            database.get_collection("others").insert_one({}),
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
