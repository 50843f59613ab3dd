"""Migrated databases to look into, and instances as processes that can be killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from pymongo import AsyncMongoClient

from command_line import TANDEM
from tandem.aggregates.documents import indexes_of
from tandem.aggregates.migrate import migrations
from tandem.app import Adapt
from tandem.config import Settings
from tandem.cqrs import CreateUserCommand
from tandem.delivery.contest import until_settled
from tandem.kernel import Unavailable
from tandem.random_users import random_users
from tandem.runs.statistics import RunStatistics, statistics_of
from tandem.user import StoredUser, UserInput, normalize
from tandem.user_command.migrate import migrate
from tandem.user_command.schema import this_schema
from tandem.user_query.database import create_indexes
from tandem_stack.ports import free_port
from waiting import until


@dataclass
class System:
    """A migrated pair of databases, and ways to look into them."""

    urls: Any
    postgres: asyncpg.Connection
    mongodb: AsyncMongoClient[dict[str, Any]]

    @property
    def users(self) -> Any:
        """MongoDB's collection of users."""
        return self.mongodb.get_default_database()["users"]

    def settings(self, app_id: str = "instance-1", **changes: Any) -> Settings:
        """Settings of an instance with the rights of the service role."""
        return Settings(
            postgres_url=self.urls.postgres_service_url,
            mongodb_url=self.urls.mongodb_service_url,
            app_id=app_id,
            **changes,
        )

    async def count(self, sql: str, *arguments: Any) -> int:
        """The number that a query answers."""
        return int(await self.postgres.fetchval(sql, *arguments))

    async def until_synchronized(self, users: int) -> None:
        """Wait until exactly this many users are SYNCRONIZED and none is pending."""
        await until(lambda: self._is_synchronized(users), f"{users} users synchronized")

    async def _is_synchronized(self, users: int) -> bool:
        done = await self.count("select count(*) from prm_user where status = 'SYNCRONIZED'")
        pending = await self.count("select count(*) from prm_user_pending")
        return (done, pending) == (users, 0)


@asynccontextmanager
async def open_system(databases, aggregates=()) -> AsyncIterator[System]:
    """Migrate these databases as their owner, for these aggregates beside users, and look into them."""
    schema = msgspec.structs.replace(this_schema(), then=migrations(aggregates))
    await migrate(databases.postgres_owner_url, timedelta(seconds=30), schema=schema)
    postgres = await asyncpg.connect(databases.postgres_owner_url)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(databases.mongodb_owner_url)
    more = {each.plural: indexes_of(each) for each in aggregates}
    await create_indexes(client, databases.mongodb_owner_url, more)
    yield System(databases, postgres, client)
    await postgres.close()
    await client.close()


def commands(count: int, seed: str = "run") -> list[CreateUserCommand]:
    """Commands for as many random users; the same for the same seed."""
    return [
        CreateUserCommand(seed, normalize(msgspec.convert(msgspec.to_builtins(user), UserInput)))
        for user in random_users(seed, 0, count)
    ]


async def create(instance, users):
    """Carry out these commands together; the users that were stored."""
    aggregates = await asyncio.gather(*(instance.flow.commands.execute(command) for command in users))
    return [aggregate.user for aggregate in aggregates]


async def statistics(instance, seed: str | None = None) -> list[RunStatistics]:
    """The statistics of all runs, or of this one."""
    return [statistics_of(each) for each in await instance.adapters.statistics.counted(seed)]


async def create_soon(instance, users):
    """As `create`, and again while PostgreSQL does not answer; all of them or none are made by a try."""
    created: list = []

    async def succeeds() -> bool:
        try:
            created.extend(await create(instance, users))
        except Unavailable:
            return False
        return True

    await until(succeeds, "users created")
    return created


async def carry_out(instance, command) -> StoredUser:
    """Carry out a command as its route does, again where others are in its way; the user after it."""
    aggregate = await until_settled(lambda: instance.flow.commands.execute(command))
    return aggregate.user


class Held:
    """A part of an instance, of which one method waits at a gate before it does anything."""

    def __init__(self, part: Any, method: str, gate: asyncio.Event) -> None:
        self._part = part
        original = getattr(part, method)

        async def held(*arguments: Any, **named: Any) -> Any:
            await gate.wait()
            return await original(*arguments, **named)

        setattr(self, method, held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def held_before_mongodb(gate: asyncio.Event) -> Adapt:
    """Adapters for `run_instance` with which nothing reaches MongoDB before the gate is open."""
    return lambda adapters: replace(adapters, documents=Held(adapters.documents, "write", gate))


@dataclass
class ServedInstance:
    """`tandem serve` as a process, and a client for it."""

    app_id: str
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    log: Path

    async def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """End it in order; its exit code."""
        self.process.terminate()
        return await self.process.wait()


@dataclass
class Servings:
    """Starts instances as processes and ends those that still run."""

    system: System
    folder: Path
    served: list[ServedInstance] = field(default_factory=list)

    async def __call__(
        self, app_id: str = "instance-1", *, wrapper: tuple[str, ...] = (), **environment: str
    ) -> ServedInstance:
        """Start one and wait until it is ready."""
        port = environment.get("PORT") or free_port()
        log = self.folder / f"{app_id}-{len(self.served)}.log"
        urls = self.system.urls
        known = {
            "APP_ID": app_id,
            "PORT": str(port),
            "POSTGRES_URL": urls.postgres_service_url,
            "MONGODB_URL": urls.mongodb_service_url,
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *wrapper,
                *TANDEM,
                "serve",
                env=os.environ | known | environment,
                stdout=output,
                stderr=output,
            )
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
        served = ServedInstance(app_id, process, client, log)
        self.served.append(served)

        async def is_ready() -> bool:
            assert process.returncode is None, log.read_text()
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_ready, f"{app_id} ready")
        return served

    async def close(self) -> None:
        """Kill what still runs, SIGSTOPped or not."""
        for served in self.served:
            await served.client.aclose()
            if served.process.returncode is None:
                served.process.send_signal(signal.SIGKILL)
                await served.process.wait()
