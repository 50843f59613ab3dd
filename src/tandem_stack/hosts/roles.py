"""Who of a cell's database hosts is what just now, as they say themselves."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tandem_stack.hosts.patroni import PORT
from tandem_stack.ports import http_answer

ANSWER_MS = 1_500


class Roles(StrEnum):
    """What a server is to the others of its cell."""

    PRIMARY = "primary"
    SYNCHRONOUS_STANDBY = "synchronous standby"
    STANDBY = "standby"
    #: MongoDB's word for a member that follows.
    SECONDARY = "secondary"


class Addressed(Protocol):
    """A host, as far as it matters here."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def address(self) -> str:
        """Its address."""


class _Answer(msgspec.Struct):
    """What of Patroni's answer counts here."""

    state: str = ""
    role: str = ""
    sync_standby: bool = False
    quorum_standby: bool = False


async def roles_of_postgres(hosts: Sequence[Addressed]) -> Mapping[str, Roles]:
    """The role of PostgreSQL on each host where Patroni says that it runs, by the host's name."""
    found = await asyncio.gather(*(_role_of_postgres(host.address) for host in hosts))
    return {host.name: role for host, role in zip(hosts, found, strict=True) if role}


async def roles_of_mongodb(hosts: Sequence[Addressed], port: int) -> Mapping[str, Roles]:
    """The role of MongoDB on each host that answers, by the host's name."""
    found = await asyncio.gather(*(_role_of_mongodb(host.address, port) for host in hosts))
    return {host.name: role for host, role in zip(hosts, found, strict=True) if role}


async def _role_of_postgres(address: str) -> Roles | None:
    answer = await http_answer(address, PORT, "GET", "/patroni")
    try:
        said = msgspec.json.decode(answer[1] if answer else b"{}", type=_Answer)
    except msgspec.DecodeError:
        return None
    if said.state not in {"running", "streaming", "in archive recovery"}:
        return None
    if said.role in {"primary", "master", "leader"}:
        return Roles.PRIMARY
    return Roles.SYNCHRONOUS_STANDBY if said.sync_standby or said.quorum_standby else Roles.STANDBY


async def _role_of_mongodb(address: str, port: int) -> Roles | None:
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            address,
            port,
            directConnection=True,
            serverSelectionTimeoutMS=ANSWER_MS,
            socketTimeoutMS=ANSWER_MS,
        )
        async with client:
            hello = await client.admin.command("hello")
    except PyMongoError:
        return None
    if hello["isWritablePrimary"]:
        return Roles.PRIMARY
    return Roles.SECONDARY if hello.get("secondary") else None
