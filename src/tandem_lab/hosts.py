"""The hosts of a stack that has several: who is the primary, and whether all copies are there."""

import asyncio
import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from tandem_lab.errors import LabError
from tandem_stack.data_folder import open_data_folder
from tandem_stack.host import Host
from tandem_stack.hosts.cell import INSTANCE_PORT, MONGODB_PORT
from tandem_stack.hosts.desired import read_desired
from tandem_stack.hosts.patroni import PORT as PATRONI_PORT
from tandem_stack.hosts.patroni import POSTGRES_PORT
from tandem_stack.hosts.patroni import USER as PATRONI_USER
from tandem_stack.hosts.roles import Roles, roles_of_mongodb, roles_of_postgres
from tandem_stack.ports import http_answer, http_status
from tandem_stack.status import CellStatus, InstanceStatus, ServerStatus, Status, read_status

CONNECT_SECONDS = 2.0
#: How long MongoDB's primary waits for others to have all it has, and is none itself then.
CATCH_UP_SECONDS, STEPPED_DOWN_SECONDS = 10, 20


class HostCell(msgspec.Struct, frozen=True):
    """A cell, by the hosts of its databases."""

    number: int
    databases: Sequence[Host]

    @property
    def has_standbys(self) -> bool:
        """Whether others can take over from its primaries."""
        return len(self.databases) > 1


class Hosts:
    """The hosts of the stack that runs on a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._memory = open_data_folder(data_dir).remember()
        desired = read_desired(data_dir)
        self._is_synchronous = desired is not None and desired.synchronous

    @property
    def have_cables(self) -> bool:
        """Whether each host has a network of its own."""
        return all(host.namespace for cell in self._status().cells for host in cell.hosts)

    def cells(self) -> list[HostCell]:
        """All cells."""
        return [
            HostCell(
                cell.number,
                [Host(host.name, host.address) for host in cell.hosts if "instance" not in host.pids],
            )
            for cell in self._status().cells
        ]

    async def primaries(self, cell: HostCell) -> list[Host]:
        """The hosts whose PostgreSQL is a primary, as they say themselves: two for a moment at most."""
        if not cell.has_standbys:
            return list(cell.databases)
        roles = await roles_of_postgres(cell.databases)
        return [host for host in cell.databases if roles.get(host.name) is Roles.PRIMARY]

    async def mongodb_primaries(self, cell: HostCell) -> list[Host]:
        """The same of MongoDB."""
        roles = await roles_of_mongodb(cell.databases, MONGODB_PORT)
        return [host for host in cell.databases if roles.get(host.name) is Roles.PRIMARY]

    async def is_whole(self, cell: HostCell) -> bool:
        """Whether all copies of its databases are there, one primary of each, as synchronous as before."""
        mongodb = await roles_of_mongodb(cell.databases, MONGODB_PORT)
        wholes = [mongodb]
        if cell.has_standbys:
            postgres = await roles_of_postgres(cell.databases)
            if self._is_synchronous and Roles.SYNCHRONOUS_STANDBY not in postgres.values():
                return False
            wholes.append(postgres)
        return all(
            len(roles) == len(cell.databases) and list(roles.values()).count(Roles.PRIMARY) == 1
            for roles in wholes
        )

    async def switch_over(self, leader: Host) -> None:
        """Have Patroni make a standby the primary.

        Raises:
            LabError: it does not do so; says why.
        """
        login = base64.b64encode(f"{PATRONI_USER}:{self._memory.patroni_password}".encode()).decode()
        headers = (f"Authorization: Basic {login}", "Content-Type: application/json")
        body = msgspec.json.encode({"leader": leader.name})
        answer = await http_answer(leader.address, PATRONI_PORT, "POST", "/switchover", body, *headers)
        # It answers when it is done, which may take longer than is waited for here.
        if answer is not None and answer[0] >= 300:
            msg = f"Patroni on {leader.name} does not hand over: {answer[1].decode(errors='replace')[:300]}"
            raise LabError(msg)

    async def step_down(self, primary: Host) -> None:
        """Have MongoDB's primary step down, so that another member is elected.

        Raises:
            LabError: it does not do so; says why.
        """
        client = AsyncMongoClient[dict[str, Any]](
            f"{primary.address}:{MONGODB_PORT}",
            directConnection=True,
            username="__system",
            password=self._memory.mongodb_key,
            authSource="local",
            authMechanism="SCRAM-SHA-256",
        )
        try:
            async with client:
                await client.admin.command(
                    "replSetStepDown", STEPPED_DOWN_SECONDS, secondaryCatchUpPeriodSecs=CATCH_UP_SECONDS
                )
        except AutoReconnect:
            return  # it closes connections when it steps down
        except PyMongoError as error:
            msg = f"MongoDB on {primary.name} does not step down: {error}"
            raise LabError(msg) from None

    async def are_instances_ready(self) -> bool:
        """Whether every instance of every cell can take a command."""
        asked = [http_status(each.port, "/health/ready", each.address) for each in self._status().instances]
        return set(await asyncio.gather(*asked)) == {200}

    def _status(self) -> Status:
        return read_status(self.data_dir) or Status()


async def seconds_to(host: Host) -> float:
    """How long it takes to reach PostgreSQL on a host: for ever, if it cannot be reached."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host.address, POSTGRES_PORT)
    except (OSError, TimeoutError):
        return float("inf")
    writer.close()
    return time.monotonic() - began


def alone(cell: CellStatus) -> Status:
    """A cell of one database host as if it were a stack of its own, without a load balancer."""
    pids = {name: pid for host in cell.hosts for name, pid in host.pids.items()}
    return Status(
        instances=tuple(
            InstanceStatus(host.name, INSTANCE_PORT, host.pids["instance"], host.address)
            for host in cell.hosts
            if "instance" in host.pids
        ),
        postgres=ServerStatus(cell.postgres_url, pids.get("postgres")),
        mongodb=ServerStatus(cell.mongodb_url, pids.get("mongodb")),
    )
