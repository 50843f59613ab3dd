"""What infra/ does with new databases: roles in PostgreSQL, replica set and users in MongoDB."""

import os
import signal
import subprocess
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pymongo
import pytest
from new_servers import INFRA, new_postgres
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from systems import until
from tandem.user_command.migrate import migrate
from tandem.user_query.database import create_indexes
from tandem_stack.data_folder import open_data_folder
from tandem_stack.mongodb import find_mongod
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process, Program, plain_environment

pytestmark = pytest.mark.slow


async def test_the_roles_of_a_new_postgresql_can_migrate_and_serve_and_no_more(new_place):
    async with new_postgres(new_place()) as postgres:
        assert await migrate(postgres.owner_url(), timedelta(seconds=30))
        service = await asyncpg.connect(postgres.service_url())
        assert await service.fetchval("select count(*) from prm_user") == 0
        for forbidden in ("drop table prm_user", "delete from prm_user", "create table mine ()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(forbidden)
        await service.close()


class ContainerOfMongoDB:
    """mongod as the image starts it, by the command of the compose file."""

    def __init__(self, place: Path, service: dict, secrets: dict[str, str]) -> None:
        self.port = free_port()
        self._folder = open_data_folder(place / "container")
        self._files = self._folder.folder_for_server("mongodb")
        self._secrets = secrets
        self._service = service
        self._mongod = find_mongod(self._folder)
        (self._files / "db").mkdir()
        self._folder.hand_over(self._files / "db")

    @asynccontextmanager
    async def without_access_control(self):
        """As the image does it once, to make the administrator."""
        async with self._running([self._mongod, *self._local_options]):
            yield

    @asynccontextmanager
    async def started(self):
        """As it runs from then on: through the entry point of ours."""
        script, _ = self._service["entrypoint"]
        ours = self._files / Path(script).name
        ours.write_bytes((INFRA / "mongodb" / ours.name).read_bytes())
        ours.chmod(0o755)
        _, *options = self._service["command"]
        key = self._files / "key"
        options = [
            option.replace("/run/tandem/key", str(key)) for option in options if option != "--bind_ip_all"
        ]
        environment = {
            "MONGODB_KEY": self._service["environment"]["MONGODB_KEY"],
            "MONGODB_KEY_FILE": str(key),
        }
        async with self._running([ours, self._mongod, *options, *self._local_options], environment):
            yield
        assert key.stat().st_mode & 0o777 == 0o600

    @property
    def _local_options(self) -> list[str]:
        return [
            "--bind_ip=127.0.0.1",
            f"--port={self.port}",
            f"--dbpath={self._files / 'db'}",
            "--nounixsocket",
        ]

    @asynccontextmanager
    async def _running(self, command, environment=None):
        log = self._folder.log("container")
        program = Program(
            command=command,
            folder=self._files,
            log=log,
            user=self._folder.user,
            environment=plain_environment() | (environment or {}),
        )
        process = Process.start(program)
        try:

            async def listens() -> bool:
                assert process.exit_code is None, log.read_text()[-3000:]
                return await accepts_connections(self.port)

            await until(listens, "mongod listens")
            yield
        finally:
            await process.stop(signal.SIGTERM, patience=60)

    def url(self, user: str) -> str:
        password = self._secrets[f"MONGODB_{user.removeprefix('tandem_').upper()}_PASSWORD"]
        return (
            f"mongodb://{user}:{password}@127.0.0.1:{self.port}/tandem?authSource=admin&directConnection=true"
        )

    def shell(self, mongosh: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run MongoDB's shell with the environment of the setup's container."""
        return subprocess.run(
            [mongosh, "--quiet", "--norc", *arguments],
            env=os.environ | self._secrets | {"MONGODB_ADDRESS": f"127.0.0.1:{self.port}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


async def test_a_new_mongodb_becomes_a_replica_set_with_its_users_by_itself(
    new_place, mongosh, databases_file, environment_file
):
    service = databases_file["services"]["mongodb"]
    container = ContainerOfMongoDB(new_place(), service, environment_file)
    async with (
        container.without_access_control(),
        AsyncMongoClient("127.0.0.1", container.port, directConnection=True) as client,
    ):
        password = environment_file["MONGODB_ROOT_PASSWORD"]
        await client.admin.command("createUser", "root", pwd=password, roles=["root"])
    async with container.started():
        health_check = service["healthcheck"]["test"][-1]
        at = f"mongodb://127.0.0.1:{container.port}/?directConnection=true"
        assert container.shell(mongosh, at, "--eval", health_check).returncode == 1
        for _ in range(2):
            setup = container.shell(mongosh, "--nodb", "--file", INFRA / "mongodb" / "setup.js")
            assert setup.returncode == 0, setup.stdout + setup.stderr
        assert container.shell(mongosh, at, "--eval", health_check).returncode == 0

        async with AsyncMongoClient(container.url("tandem_owner")) as owner:
            await create_indexes(owner, container.url("tandem_owner"))
        async with AsyncMongoClient(container.url("tandem_service")) as client:
            users = client.tandem.get_collection(
                "users", write_concern=pymongo.WriteConcern("majority", j=True)
            )
            await users.insert_one({"_id": 1})
            assert await users.count_documents({}) == 1
            for forbidden in (users.drop(), client.tandem.other.find_one()):
                with pytest.raises(OperationFailure):
                    await forbidden
        async with AsyncMongoClient("127.0.0.1", container.port, directConnection=True) as stranger:
            with pytest.raises(OperationFailure):
                await stranger.tandem.users.find_one()
