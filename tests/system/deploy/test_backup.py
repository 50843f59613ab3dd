"""Backup and restore as docs/operations.md describes them, but for mongodump, which is not to be had here."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from new_servers import mongodb_on_a_copy, new_postgres, run_postgres_program, run_script
from places import ROOT
from servers import Databases, run_servers
from systems import commands, create, open_system, statistics
from tandem.app import run_instance
from tandem.user_query.database import create_indexes

pytestmark = pytest.mark.slow

OPERATIONS = ROOT / "docs" / "operations.md"
TOOL = """#!/bin/sh
for word; do case $word in --config=*) cat "${word#--config=}" ;; esac; done
echo "arguments: $*"
cat
"""


@pytest.mark.parametrize("tool", ["mongodump", "mongorestore"])
def test_the_password_of_mongodb_s_root_is_given_in_no_argument_and_left_in_no_file(tmp_path, tool):
    (script,) = re.findall(rf"mongodb sh -ceu '\n(  exec {tool} .+?END)'", OPERATIONS.read_text(), re.DOTALL)
    secrets, tools, empty = (tmp_path / name for name in ("secrets", "tools", "empty"))
    for folder in (secrets, tools, empty):
        folder.mkdir()
    (secrets / "mongodb_root_password").write_text("5ecret")
    (tools / tool).write_text(TOOL)
    (tools / tool).chmod(0o755)
    done = subprocess.run(
        ["sh", "-ceu", script.replace("/run/tandem/secrets", str(secrets))],
        env={"PATH": f"{tools}:{os.defpath}", "TMPDIR": str(empty), "HOME": str(empty)},
        cwd=empty,
        input="the archive",
        capture_output=True,
        text=True,
        check=True,
    )
    config, arguments, archive = done.stdout.splitlines()
    assert (config, archive) == ("password: 5ecret", "the archive")
    assert "--username=root" in arguments
    assert "5ecret" not in arguments
    assert list(empty.iterdir()) == []


async def all_documents(system) -> list[dict]:
    return await system.users.find().sort("_id").to_list()


async def counts(instance) -> list[tuple]:
    rows = await statistics(instance)
    return [(row.seed, row.app_id, row.total, row.synchronized, row.pending, row.taken_over) for row in rows]


async def copy_of_mongodb(mongodb, place: Path) -> Path:
    """A copy of the server's files, while it holds still."""
    data = mongodb.folder.folder_for_server("mongodb") / "data"
    async with mongodb.administrator() as client:
        await client.admin.command("fsync", lock=True)
        try:
            return Path(shutil.copytree(data, place / "mongodb-backup"))
        finally:
            await client.admin.command("fsyncUnlock")


async def test_both_stores_come_back_from_a_backup_that_was_taken_while_users_came(new_place):
    place = new_place()
    dump = place / "postgres.dump"
    async with (
        run_servers(place) as servers,
        open_system(servers) as system,
        run_instance(system.settings()) as instance,
    ):
        await create(instance, commands(30, "before"))
        await system.until_synchronized(30)
        # MongoDB first: whatever it has then, PostgreSQL's later backup knows.
        since = str(await system.postgres.fetchval("select now()"))
        backup = await copy_of_mongodb(servers.mongodb, place)
        await create(instance, commands(20, "between"))
        await system.until_synchronized(50)
        run_postgres_program("pg_dump", "--format=custom", "--file", dump, "-d", servers.postgres_owner_url)
        await create(instance, commands(10, "after"))
        await system.until_synchronized(60)
        known = [document for document in await all_documents(system) if document["seed"] != "after"]
        counted = [row for row in await counts(instance) if row[0] != "after"]
        memory = servers.mongodb.memory

    async with new_postgres(place) as postgres, mongodb_on_a_copy(place, backup, memory) as mongodb:
        run_postgres_program("pg_restore", "--exit-on-error", "-d", postgres.url("postgres"), dump)
        said = run_script(postgres.owner_url(), "pending_again.sql", "-At", f"--set=since={since}")
        assert said.strip() == "20"
        restored = Databases(
            postgres.owner_url(), postgres.service_url(), mongodb.owner_url(), mongodb.service_url()
        )
        async with open_system(restored) as system:
            assert len(await all_documents(system)) == 30
            async with run_instance(system.settings()) as instance:
                await system.until_synchronized(50)
                assert await all_documents(system) == known
                assert await counts(instance) == counted
                # New users get ids that none of the restored has.
                await create(instance, commands(5, "new"))
                await system.until_synchronized(55)


async def test_a_backup_that_is_older_than_mongodb_gives_no_id_again_and_tells_of_the_lost(new_place):
    place = new_place()
    dump = place / "postgres.dump"
    async with run_servers(place) as servers, open_system(servers) as system:
        async with run_instance(system.settings()) as instance:
            await create(instance, commands(30, "before"))
            await system.until_synchronized(30)
            run_postgres_program(
                "pg_dump", "--format=custom", "--file", dump, "-d", servers.postgres_owner_url
            )
            lost = await create(instance, commands(20, "lost"))
            await system.until_synchronized(50)

        async with new_postgres(place) as postgres:
            run_postgres_program("pg_restore", "--exit-on-error", "-d", postgres.url("postgres"), dump)
            restored = Databases(
                postgres.owner_url(),
                postgres.service_url(),
                servers.mongodb_owner_url,
                servers.mongodb_service_url,
            )
            async with open_system(restored) as now, run_instance(now.settings()) as instance:
                users = await create(instance, commands(10, "after"))
                await now.until_synchronized(40)
                assert {user.id for user in lost}.isdisjoint(user.id for user in users)
                _, never_given = await instance.adapters.history.state()
                found = await instance.adapters.witnesses["user"].ids_between(never_given, 1_000)
                assert await instance.adapters.history.unknown(found) == sorted(user.id for user in lost)


async def test_a_mongodb_that_is_lost_altogether_is_filled_again_from_postgresql(system):
    async with run_instance(system.settings("instance-1")) as instance:
        await create(instance, commands(40))
        await system.until_synchronized(40)
        known, counted = await all_documents(system), await counts(instance)
    await system.users.drop()
    await create_indexes(system.mongodb, system.urls.mongodb_owner_url)

    run_script(system.urls.postgres_owner_url, "pending_again.sql", "--set=since=-infinity")
    assert await system.count("select count(*) from prm_user_pending") == 40
    assert await system.count("select count(*) from prm_user where status = 'CREATED'") == 40
    async with run_instance(system.settings("instance-1")) as instance:
        await system.until_synchronized(40)
        assert await all_documents(system) == known
        assert await counts(instance) == counted
    assert await system.count("select sum(users) from prm_user_lag") == 40


async def test_sending_users_again_that_mongodb_has_changes_nothing(system):
    async with run_instance(system.settings()) as instance:
        await create(instance, commands(10))
        await system.until_synchronized(10)
        known = await all_documents(system)
    async with run_instance(system.settings("instance-2")):
        # Instances may run meanwhile.
        run_script(system.urls.postgres_owner_url, "pending_again.sql", "--set=since=-infinity")
        await system.until_synchronized(10)
    assert await all_documents(system) == known
    assert await system.count("select count(*) from prm_user_event where event_type = 'SYNCRONIZED'") == 10
