"""`tandem migrate` beside databases that are still being started: containers start in any order."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from command_line import run_tandem
from servers import Server
from tandem.kernel import UnsuitableServer
from tandem.mongodb.client import may_pass, require_suitable
from tandem_stack import mongodb
from tandem_stack.data_folder import open_data_folder
from tandem_stack.mongodb import MongoDB
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.postgres import Postgres
from waiting import until

NOBODY = {"POSTGRES_URL": "postgresql://u:secret@127.0.0.1:1/x", "MONGODB_URL": "mongodb://127.0.0.1:1/x"}


class Migrating:
    """`tandem migrate` as a process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []

    async def until_it_says(self, *words: str) -> None:
        async with asyncio.timeout(120):
            while line := (await self.process.stdout.readline()).decode():
                self.said.append(line)
                if all(word in line for word in words):
                    return
        raise AssertionError(f"it ended without saying {words}:\n{''.join(self.said)}")


@asynccontextmanager
async def migrating(*options: str, **environment: str):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "migrate", *options),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Migrating(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_waits_for_databases_that_start_later_and_for_their_accounts(new_place):
    folder = open_data_folder(new_place() / "later")
    memory = folder.remember()
    postgres_files = Postgres(folder, memory, free_port())
    mongodb_files = MongoDB(folder, memory, free_port(), parameters=mongodb.TEST_PARAMETERS)
    await postgres_files.initialise()
    await mongodb_files.initialise()
    urls = {"POSTGRES_URL": postgres_files.owner_url(), "MONGODB_URL": mongodb_files.owner_url()}
    started: list[Server] = []
    try:
        async with migrating("--wait", "300", **urls) as migration:
            await migration.until_it_says("PostgreSQL cannot be used", "Trying again for another")
            started.append(Server(postgres_files.service))
            await started[-1].until_ready()
            await migration.until_it_says("authentication failed", "Trying again")
            await postgres_files.make_roles()
            await migration.until_it_says("MongoDB cannot be used", "Trying again for another")
            started.append(Server(mongodb_files.service))
            await migration.until_it_says("MongoDB", "uthentication", "Trying again")
            await started[-1].until_ready()
            await mongodb_files.make_roles()
            await migration.until_it_says("Applied: 001_users.sql")
            assert await migration.process.wait() == 0
            assert not any(memory.postgres_owner_password in line for line in migration.said)
    finally:
        for server in started:
            await server.process.stop(signal.SIGQUIT, patience_seconds=10)


async def test_it_gives_up_in_time_with_one_sentence():
    code, said = await run_tandem("migrate", "--wait", "0.2", **NOBODY)
    assert code == 1
    assert "Trying again for another 0 s." in said
    last = said.strip().splitlines()[-1]
    assert last.startswith("Error: PostgreSQL cannot be used at 127.0.0.1:1")
    assert "secret" not in said
    assert "Traceback" not in said


async def test_it_does_not_wait_where_waiting_is_of_no_use():
    code, said = await run_tandem("migrate", "--wait", "300", **NOBODY | {"POSTGRES_URL": "nonsense"})
    assert code == 1
    assert "Trying again" not in said


async def test_a_replica_set_that_nobody_has_made_yet_may_be_made_in_a_moment(new_place):
    folder = open_data_folder(new_place() / "uninitiated")
    files = MongoDB(folder, folder.remember(), free_port(), parameters=mongodb.TEST_PARAMETERS)
    await files.initialise()
    server = Server(files.service)
    try:
        await until(lambda: accepts_connections(files.port), "mongod listens")
        async with files.administrator() as client:
            with pytest.raises(UnsuitableServer, match="nobody has made yet") as raised:
                await require_suitable(client, files.owner_url())
        assert may_pass(raised.value)
    finally:
        await server.process.kill()
