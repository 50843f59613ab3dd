"""What a running stack has used so far: CPU, memory, log bytes, and how far its users have come."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from tandem_lab.bench.proc import (
    MachineTimes,
    core_wait_us,
    cpu_us,
    machine_times,
    main_threads_us,
    memory_mib,
    open_descriptors,
)
from tandem_stack.status import Status

#: Before everything that was ever written.
BEGINNING = datetime.min.replace(tzinfo=UTC)
#: Many ids belong to users that are deleted by now, so this many times as many ids are tried.
TRIES = 5


#: The views of a kind of aggregates, by the names of those of users.
VIEWS = """
CREATE TEMP VIEW lab_event AS
SELECT id AS user_id, seed, version, event_type, created_at FROM public.lab_{kind}_event;
CREATE TEMP VIEW lab_run AS
SELECT seed, app_id, total AS users, synchronized, dead_letters FROM public.lab_{kind}_run
"""
DRAINED = """
SELECT (SELECT coalesce(sum(users - synchronized - dead_letters), 0) FROM lab_run WHERE seed = $1) = 0
"""
TABLE_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""
#: What follows from an aggregate has to be done, too.
AND_NOTHING_FOLLOWS = " AND NOT EXISTS (SELECT FROM public.lab_{kind}_reaction)"


class Usage(msgspec.Struct, frozen=True):
    """Totals so far. The difference of two of them is what a run has used."""

    cpu_us: dict[str, int]
    #: Of that of the instances: their main threads, on which their event loops run.
    event_loops_us: int
    core_wait_us: dict[str, int]
    wal_bytes: int
    journal_bytes: int
    machine: MachineTimes
    #: CPU of the stack, of this process and of all processes that it has started, in microseconds.
    ours_us: int

    def cpu_each(self, earlier: "Usage", count: int) -> dict[str, float]:
        """CPU us of each component since then, for each of `count` users or reads."""
        return {
            name: round((used - earlier.cpu_us[name]) / max(count, 1), 1)
            for name, used in self.cpu_us.items()
        }

    def waiting_for_core(self, earlier: "Usage") -> dict[str, float]:
        """How many threads of each component were ready and had no core, on average since then."""
        return {
            name: self._mean(earlier, waited - earlier.core_wait_us[name])
            for name, waited in self.core_wait_us.items()
        }

    def waiting_for_disk(self, earlier: "Usage") -> float:
        """How many cores were idle while something waited for the disk, on average since then."""
        return self._mean(earlier, self.machine.disk_wait_us - earlier.machine.disk_wait_us)

    def others_busy(self, earlier: "Usage") -> float:
        """How many cores were busy with programs other than the stack and the lab, on average since then."""
        busy_us = self.machine.busy_us - earlier.machine.busy_us
        return self._mean(earlier, busy_us - (self.ours_us - earlier.ours_us))

    def _mean(self, earlier: "Usage", us: int) -> float:
        """Time in microseconds as an average number of threads or cores since then.

        It could seem to be negative: the waits of a thread that has ended are lost, and clocks are coarse.
        """
        return round(max(0.0, us / (1e6 * (self.machine.at - earlier.machine.at))), 2)


def pids_of(running: Status) -> dict[str, list[int]]:
    """The main processes of each component; a database that the stack did not start has none."""
    pids = {
        "instances": [instance.pid for instance in running.instances],
        "postgres": [running.postgres.pid],
        "mongodb": [running.mongodb.pid],
        "nginx": [running.load_balancer.pid],
    }
    return {name: [pid for pid in found if pid is not None] for name, found in pids.items()}


class Probe:
    """Asks the servers of a running stack, with the URLs of their owner.

    `kind` is that of aggregates, about which is then asked instead of users.
    """

    def __init__(
        self, running: Status, postgres: asyncpg.Pool, mongodb: AsyncMongoClient[Any], kind: str = ""
    ) -> None:
        self.running = running
        self.kind = kind
        self._postgres = postgres
        self._mongodb = mongodb

    @classmethod
    @asynccontextmanager
    async def open(cls, running: Status, schema: str = "public", kind: str = "") -> AsyncIterator["Probe"]:
        """Connect to both servers; `schema` has the tables in PostgreSQL."""
        settings = {"search_path": schema}

        async def look_at_the_kind(connection: asyncpg.Connection) -> None:
            if kind:
                await connection.execute(VIEWS.replace("{kind}", kind))

        async with (
            # Two connections, because reads and writes may be measured at the same time.
            asyncpg.create_pool(
                running.postgres.url,
                min_size=1,
                max_size=2,
                timeout=10,
                server_settings=settings,
                init=look_at_the_kind,
            ) as postgres,
            AsyncMongoClient[Any](running.mongodb.url, serverSelectionTimeoutMS=5_000) as mongodb,
        ):
            yield cls(running, postgres, mongodb, kind)

    async def usage(self) -> Usage:
        """All totals now."""
        wal = await self._postgres.fetchval("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
        status = await self._mongodb.admin.command("serverStatus")
        pids = pids_of(self.running)
        return Usage(
            cpu_us={name: cpu_us(roots) for name, roots in pids.items()},
            event_loops_us=main_threads_us(pids["instances"]),
            core_wait_us={name: core_wait_us(roots) for name, roots in pids.items()},
            wal_bytes=int(wal),
            journal_bytes=int(status["wiredTiger"]["log"]["log bytes written"]),
            machine=machine_times(),
            ours_us=cpu_us([os.getpid(), *(pid for roots in pids.values() for pid in roots)]),
        )

    async def stored_bytes(self) -> dict[str, int]:
        """The bytes of each database's tables and indexes. MongoDB's are left out where it may not be asked.

        MongoDB first writes down what it has in memory only, as it knows the size of its files alone. What is
        free in these does not count: it writes to other places than it frees.
        """
        sizes = {"postgres": int(await self._postgres.fetchval(TABLE_BYTES))}
        with suppress(OperationFailure):  # an owner without the right to do this
            await self._mongodb.admin.command("fsync")
            found = await self._mongodb.get_default_database("tandem").command("dbStats", freeStorage=1)
            free = found.get("freeStorageSize", 0) + found.get("indexFreeStorageSize", 0)
            sizes["mongodb"] = int(found["storageSize"] + found["indexSize"] - free)
        return sizes

    async def postgres_settings(self, names: Sequence[str]) -> dict[str, str]:
        """The server's version and these settings."""
        rows = await self._postgres.fetch(
            "SELECT name, setting || coalesce(' ' || unit, '') AS value "
            "FROM pg_settings WHERE name = ANY ($1)",
            names,
        )
        version = await self._postgres.fetchval("SHOW server_version")
        return {"version": version} | {row["name"]: row["value"] for row in rows}

    async def mongodb_settings(self) -> dict[str, str]:
        """The server's version, its storage engine, and what it acknowledges."""
        build = await self._mongodb.admin.command("buildInfo")
        status = await self._mongodb.admin.command("serverStatus")
        return {
            "version": build["version"],
            "storage_engine": status["storageEngine"]["name"],
            "write_concern": "w: majority, j: true",
        }

    def memory(self) -> dict[str, float]:
        """MiB held by each component now."""
        return {name: round(memory_mib(roots), 1) for name, roots in pids_of(self.running).items() if roots}

    def descriptors(self) -> dict[str, int]:
        """How many files and connections each component has open now."""
        return {name: open_descriptors(roots) for name, roots in pids_of(self.running).items() if roots}

    async def now(self) -> datetime:
        """The time by PostgreSQL's clock."""
        found: datetime = await self._postgres.fetchval("SELECT clock_timestamp()")
        return found

    async def synchronized(self, seed: str, since: datetime = BEGINNING) -> tuple[int, float]:
        """How many versions of users of the run became SYNCRONIZED since then, and how many a second."""
        row = await self._postgres.fetchrow(
            "SELECT count(*) AS versions, "
            "extract(epoch FROM max(created_at) - min(created_at))::float8 AS seconds "
            "FROM lab_event WHERE seed = $1 AND created_at >= $2 AND event_type = 'SYNCRONIZED'",
            seed,
            since,
        )
        assert row is not None  # noqa: S101 - an aggregate always answers a row
        return int(row["versions"]), (row["versions"] / row["seconds"] if row["seconds"] else 0.0)

    async def lags_ms(self, seed: str, since: datetime = BEGINNING) -> list[float]:
        """The time from its commit to SYNCRONIZED of every version of `synchronized`."""
        rows = await self._postgres.fetch(
            "SELECT extract(epoch FROM s.created_at - c.created_at)::float8 * 1000 AS lag "
            "FROM lab_event s JOIN lab_event c USING (user_id, version, seed) "
            "WHERE seed = $1 AND s.created_at >= $2 "
            "AND s.event_type = 'SYNCRONIZED' AND c.event_type <> 'SYNCRONIZED'",
            seed,
            since,
        )
        return [row["lag"] for row in rows]

    async def users_of(self, seed: str) -> list[int]:
        """The ids of all users that were created in the run, ascending."""
        rows = await self._postgres.fetch(
            "SELECT user_id FROM lab_event WHERE seed = $1 AND event_type = 'CREATED' ORDER BY user_id", seed
        )
        return [row["user_id"] for row in rows]

    async def some_users(self, most: int) -> list[tuple[int, str]]:
        """Ids and addresses of at most `most` synchronized users, spread over the whole table."""
        rows = await self._postgres.fetch(
            "WITH ids AS (SELECT min(id) AS lowest, max(id) AS highest FROM lab_address) "
            "SELECT u.id, u.email FROM lab_address u JOIN ("
            "SELECT DISTINCT lowest + floor(random() * (highest - lowest + 1))::bigint AS id "
            "FROM ids, generate_series(1, $2)) chosen USING (id) WHERE u.status = 'SYNCRONIZED' "
            "ORDER BY random() LIMIT $1",
            most,
            most * TRIES,
        )
        return [(row["id"], row["email"]) for row in rows]

    async def users(self) -> int:
        """How many users have ever been created, from the exact counters."""
        return int(await self._postgres.fetchval("SELECT coalesce(sum(users), 0) FROM lab_run"))

    async def is_drained(self, seed: str) -> bool:
        """Whether no user of the run is pending any more."""
        question = DRAINED + (AND_NOTHING_FOLLOWS.replace("{kind}", self.kind) if self.kind else "")
        return bool(await self._postgres.fetchval(question, seed))

    async def users_of_instances(self, seed: str) -> dict[str, int]:
        """How many users of the run each instance has created."""
        rows = await self._postgres.fetch(
            "SELECT app_id, users FROM lab_run WHERE seed = $1 ORDER BY app_id", seed
        )
        return {row["app_id"]: row["users"] for row in rows}
