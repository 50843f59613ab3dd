"""Ways to hold an instance up at a certain step, so that a fault strikes at a known moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from pymongo import AsyncMongoClient

from servers import Servers
from systems import System
from waiting import until

# The collection's inserts, as MongoDB's failpoint names them.
PROJECTION = ["insert"]
# Where a read is about to collect its documents.
FIND = "waitInFindBeforeMakingBatch"


@dataclass
class Failpoint:
    """MongoDB's `failCommand`: what it does to the commands of one instance, until it is turned off."""

    admin: Any
    entered_before: int

    async def until_struck(self, times: int = 1) -> None:
        """Wait until it has struck so many times."""
        await self.admin.command(
            "waitForFailPoint", "failCommand", timesEntered=self.entered_before + times, maxTimeMS=60_000
        )

    async def turn_off(self) -> None:
        await self.admin.command("configureFailPoint", "failCommand", mode="off")


@asynccontextmanager
async def failing_mongodb(
    servers: Servers, app_id: str | None = None, **how: Any
) -> AsyncIterator[Failpoint]:
    """Let MongoDB fail the inserts of the instance `app_id` (of all without it).

    Args:
        servers: whose MongoDB.
        app_id: its application name at MongoDB ends in it.
        how: the failpoint's own data: `errorCode`, `closeConnection`, `writeConcernError`.
    """
    data = {"failCommands": PROJECTION, **how}
    if app_id is not None:
        data["appName"] = f"tandem {app_id}"
    client: AsyncMongoClient[dict[str, Any]]
    async with servers.mongodb.administrator() as client:
        answer = await client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        failpoint = Failpoint(client.admin, answer["count"])
        try:
            yield failpoint
        finally:
            await failpoint.turn_off()


@dataclass
class HangingReads:
    """Reads that MongoDB does not answer until it is told to, or until nobody waits for them."""

    admin: Any

    async def until_there_are(self, reads: int) -> None:
        """Wait until so many hang."""

        async def are_there() -> bool:
            return await self.count() == reads

        await until(are_there, f"{reads} reads hang")

    async def count(self) -> int:
        """How many hang just now."""
        operations = await self.admin.aggregate([{"$currentOp": {"allUsers": True}}])
        return len([one for one in await operations.to_list() if one.get("failpointMsg") == FIND])


@asynccontextmanager
async def hanging_reads(servers: Servers, system: System) -> AsyncIterator[HangingReads]:
    """Let every read of this system's users hang at MongoDB. Time limits and clients that leave end it."""
    collection = f"{system.mongodb.get_default_database().name}.users"
    data = {"nss": collection, "shouldCheckForInterrupt": True}
    client: AsyncMongoClient[dict[str, Any]]
    async with servers.mongodb.administrator() as client:
        await client.admin.command("configureFailPoint", FIND, mode="alwaysOn", data=data)
        try:
            yield HangingReads(client.admin)
        finally:
            await client.admin.command("configureFailPoint", FIND, mode="off")


@dataclass
class Sessions:
    """The sessions of instances at PostgreSQL, seen by their own role: others are not shown what they do."""

    same_role: asyncpg.Connection

    async def until_waiting_for_lock(self, app_id: str) -> None:
        """Wait until a statement of this instance waits for a lock."""

        async def waits() -> bool:
            return bool(await self._of(app_id, "count(*)", "and wait_event_type = 'Lock'"))

        await until(waits, f"{app_id} waits for a lock")

    async def pids(self, app_id: str) -> set[int]:
        """The server processes of this instance's sessions."""
        return set(await self._of(app_id, "array_agg(pid)", "") or [])

    async def terminate(self, app_id: str) -> None:
        """End them; what they had in flight is rolled back."""
        await self._of(app_id, "count(pg_terminate_backend(pid))", "")

    async def _of(self, app_id: str, what: str, condition: str) -> Any:
        return await self.same_role.fetchval(
            f"select {what} from pg_stat_activity "
            f"where application_name = $1 and datname = current_database() {condition}",
            f"tandem {app_id}",
        )


@asynccontextmanager
async def sessions_of(system: System) -> AsyncIterator[Sessions]:
    """A look at the sessions of instances."""
    same_role = await asyncpg.connect(system.urls.postgres_service_url)
    try:
        yield Sessions(same_role)
    finally:
        await same_role.close()


@asynccontextmanager
async def locked(system: System, table: str) -> AsyncIterator[None]:
    """Let every write to `table` wait until the end of the block."""
    connection = await asyncpg.connect(system.urls.postgres_owner_url)
    try:
        async with connection.transaction():
            await connection.execute(f"lock table {table} in exclusive mode")
            yield
    finally:
        await connection.close()


async def damage(system: System, table: str, user_id: int) -> None:
    """Let PostgreSQL say of a user's rows in this table what it says of a damaged page, by a policy."""
    await system.postgres.execute(f"""
        create function read_or_fail(id bigint) returns boolean language plpgsql as $$
        begin
            if id = {user_id} then raise exception 'invalid page' using errcode = 'XX001'; end if;
            return true;
        end $$;
        alter table {table} enable row level security;
        create policy damaged on {table} using (read_or_fail(user_id));
    """)
