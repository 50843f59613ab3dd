"""What a running stack has used so far: CPU, memory, log bytes, and how far its users have come."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from pymongo import AsyncMongoClient

from tandem.local_stack.status import Status

TICK_MICROSECONDS = 1_000_000 // os.sysconf("SC_CLK_TCK")


class Usage(msgspec.Struct, frozen=True):
    """Totals since the stack began; the difference of two is what a run has used."""

    cpu_us: dict[str, int]
    wal_bytes: int
    journal_bytes: int


def pids_of(running: Status) -> dict[str, list[int]]:
    """The main processes of each component; a component that is not ours has none."""
    pids = {
        "instances": [instance.pid for instance in running.instances],
        "postgres": [running.postgres.pid],
        "mongodb": [running.mongodb.pid],
        "nginx": [running.load_balancer.pid],
    }
    return {name: [pid for pid in found if pid is not None] for name, found in pids.items()}


def cpu_us(pid: int) -> int:
    """User and system time of a process and all of its children, ended ones too, in microseconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:  # ended meanwhile; its parent has its time now
        return 0
    own = sum(int(field) for field in fields[11:15]) * TICK_MICROSECONDS
    return own + sum(cpu_us(int(child)) for child in children)


def cpu_of(running: Status) -> dict[str, int]:
    """CPU time of each component so far, in microseconds."""
    return {name: sum(map(cpu_us, pids)) for name, pids in pids_of(running).items()}


def memory_mib(pid: int) -> float:
    """What a process and its children hold, shared pages counted once among those who share them (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0.0
    own = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
    return own + sum(memory_mib(int(child)) for child in children)


class Probe:
    """Asks the servers of a running stack, by their owner's URLs."""

    def __init__(self, running: Status, postgres: asyncpg.Connection, mongodb: AsyncMongoClient[Any]) -> None:
        self.running = running
        self._postgres = postgres
        self._mongodb = mongodb

    @classmethod
    async def open(cls, running: Status) -> "Probe":
        """Connect to both servers."""
        postgres = await asyncpg.connect(running.postgres.url, timeout=10)
        mongodb: AsyncMongoClient[Any] = AsyncMongoClient(running.mongodb.url, serverSelectionTimeoutMS=5_000)
        return cls(running, postgres, mongodb)

    async def close(self) -> None:
        """Disconnect."""
        await self._postgres.close()
        await self._mongodb.close()

    async def usage(self) -> Usage:
        """All totals now."""
        cpu = cpu_of(self.running)
        wal = await self._postgres.fetchval("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
        status = await self._mongodb.admin.command("serverStatus")
        return Usage(cpu, int(wal), int(status["wiredTiger"]["log"]["log bytes written"]))

    async def postgres_settings(self, names: Sequence[str]) -> dict[str, str]:
        """The server's version and these settings."""
        rows = await self._postgres.fetch(
            "SELECT name, setting || coalesce(' ' || unit, '') AS value "
            "FROM pg_settings WHERE name = ANY ($1)",
            names,
        )
        version = self._postgres.get_server_version()
        return {"version": f"{version.major}.{version.minor}"} | {row["name"]: row["value"] for row in rows}

    async def mongodb_settings(self) -> dict[str, str]:
        """The server's version and what its acknowledgement means."""
        build = await self._mongodb.admin.command("buildInfo")
        status = await self._mongodb.admin.command("serverStatus")
        return {
            "version": build["version"],
            "storage_engine": status["storageEngine"]["name"],
            "write_concern": "w: majority, j: true",
        }

    def memory(self) -> dict[str, float]:
        """MiB held by each component now."""
        return {
            name: round(sum(map(memory_mib, pids)), 1) for name, pids in pids_of(self.running).items() if pids
        }

    async def synchronized(self, seed: str) -> tuple[int, float]:
        """How many users of the run are SYNCRONIZED, and how many a second that was by the events' times."""
        row = await self._postgres.fetchrow(
            "SELECT count(*) AS users, "
            "extract(epoch FROM max(created_at) - min(created_at))::float8 AS seconds "
            "FROM prm_user_event WHERE seed = $1 AND event_type = 'SYNCRONIZED'",
            seed,
        )
        assert row is not None  # noqa: S101 - an aggregate always answers a row
        return int(row["users"]), (row["users"] / row["seconds"] if row["seconds"] else 0.0)

    async def lags_ms(self, seed: str) -> list[float]:
        """From CREATED to SYNCRONIZED, of every user of the run."""
        rows = await self._postgres.fetch(
            "SELECT extract(epoch FROM e.created_at - u.created_at)::float8 * 1000 AS lag FROM prm_user u "
            "JOIN prm_user_event e ON e.user_id = u.id AND e.event_type = 'SYNCRONIZED' WHERE u.seed = $1",
            seed,
        )
        return [row["lag"] for row in rows]

    async def some_users(self, most: int) -> list[tuple[int, str]]:
        """Ids and addresses of at most that many synchronized users, spread over the whole table."""
        rows = await self._postgres.fetch(
            "WITH ids AS (SELECT min(id) AS lowest, max(id) AS highest FROM prm_user) "
            "SELECT u.id, u.email FROM prm_user u JOIN ("
            "SELECT DISTINCT lowest + floor(random() * (highest - lowest + 1))::bigint AS id "
            "FROM ids, generate_series(1, $1)) chosen USING (id) WHERE u.status = 'SYNCRONIZED'",
            most,
        )
        return [(row["id"], row["email"]) for row in rows]

    async def pending(self, seed: str) -> int:
        """How many users of the run are still on their way."""
        return int(
            await self._postgres.fetchval(
                "SELECT coalesce(sum(total - synchronized - dead_letters), 0) "
                "FROM prm_user_count WHERE seed = $1",
                seed,
            )
        )

    async def users_of_instances(self, seed: str) -> dict[str, int]:
        """How many users of the run each instance has created."""
        rows = await self._postgres.fetch(
            "SELECT app_id, sum(total)::bigint AS users "
            "FROM prm_user_count WHERE seed = $1 GROUP BY 1 ORDER BY 1",
            seed,
        )
        return {row["app_id"]: row["users"] for row in rows}
