"""How the parts of a running stack are, as `tandem status` says: asked just now, within two seconds."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
import msgspec
import psutil
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tandem_stack.ports import ANSWER_SECONDS, LOCAL, accepts_connections, http_status
from tandem_stack.status import Status

#: What is said of a part: all is well, it takes nothing just now, nothing comes back, it does not run.
READY, NOT_READY, SILENT, DOWN = "ready", "not ready", "does not answer", "down"
# Users, and every installed aggregate: what of each is on its way to MongoDB.
PENDING_VIEWS = r"SELECT viewname FROM pg_views WHERE viewname ~ '^lab_(.+_)?pending$' ORDER BY 1"
PORT_OF_URL = re.compile(r":(\d+)/")


class Part(msgspec.Struct, frozen=True):
    """A part of the stack. `pid` is None if it is down, or not started by the stack."""

    name: str
    pid: int | None
    port: int | None
    #: For how long its process has been running.
    up_seconds: float | None
    #: How often it was started again since `tandem up`.
    restarts: int
    health: str


class Backlog(msgspec.Struct, frozen=True):
    """How many of a kind, such as `user`, are on their way to MongoDB, and how many are dead letters."""

    kind: str
    pending: int
    dead_letters: int


class Health(msgspec.Struct, frozen=True):
    """How the stack is. `backlog` is None where a PostgreSQL does not answer."""

    parts: list[Part]
    backlog: list[Backlog] | None


async def health_of(running: Status) -> Health:
    """Ask all parts, and PostgreSQL for what is pending, at the same time."""
    urls = [cell.postgres_url for cell in running.cells] or [running.postgres.url or ""]
    balancer = running.load_balancer
    asked: list[tuple[str, int | None, int | None, Coroutine[Any, Any, str]]] = [
        *((each.app_id, each.pid, each.port, _http(each.port, each.address)) for each in running.instances),
        ("HAProxy" if running.cells else "nginx", balancer.pid, balancer.port, _http(balancer.port)),
        *((each.name, each.pid, each.port, _listens(each.port)) for each in running.beside),
    ]
    if not running.cells:
        asked.append(("MongoDB", running.mongodb.pid, _port(running.mongodb.url), _ping(running.mongodb.url)))
    words, backlog = await asyncio.gather(asyncio.gather(*(ask for *_, ask in asked)), _backlog(urls))
    parts = [
        _part(running, name, pid, port, word) for (name, pid, port, _), word in zip(asked, words, strict=True)
    ]
    if not running.cells:
        word = SILENT if backlog is None else READY
        pid = running.postgres.pid
        parts.append(_part(running, "PostgreSQL", pid, _port(running.postgres.url), word))
    return Health(parts, backlog)


def _part(running: Status, name: str, pid: int | None, port: int | None, word: str) -> Part:
    up_seconds = None
    if pid is not None and psutil.pid_exists(pid):
        up_seconds = round(time.time() - psutil.Process(pid).create_time(), 1)
    is_down = pid is None and word == SILENT
    return Part(name, pid, port, up_seconds, running.restarts.get(name, 0), DOWN if is_down else word)


def _port(url: str | None) -> int | None:
    found = PORT_OF_URL.search(url or "")
    return int(found[1]) if found else None


async def _http(port: int | None, address: str = LOCAL) -> str:
    status = await http_status(port, "/health/ready", address) if port else None
    return SILENT if status is None else READY if status == 200 else NOT_READY


async def _listens(port: int) -> str:
    return READY if await accepts_connections(port) else SILENT


async def _ping(url: str | None) -> str:
    patience_ms = int(ANSWER_SECONDS * 1000)
    limits: dict[str, Any] = dict.fromkeys(("serverSelectionTimeoutMS", "socketTimeoutMS"), patience_ms)
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, **limits)
        async with client:
            await client.admin.command("ping")
    except PyMongoError:
        return SILENT
    return READY


async def _backlog(urls: Sequence[str]) -> list[Backlog] | None:
    """What is pending in these databases together; None if one does not answer."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await asyncio.gather(*map(_pending_in, urls))
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    pending, dead = (sum((each[at] for each in found), Counter[str]()) for at in (0, 1))
    return [Backlog(kind, pending[kind], dead[kind]) for kind in sorted(pending | dead) or ["user"]]


async def _pending_in(url: str) -> tuple[Counter[str], Counter[str]]:
    """What is pending in a database, and its dead letters, by kind."""
    pending, dead = Counter[str](), Counter[str]()
    connection = await asyncpg.connect(url)
    try:
        for (view,) in await connection.fetch(PENDING_VIEWS):
            runs, kind = view.replace("pending", "run"), view[4:-8] or "user"
            # These are names of views that are there.
            pending[kind] = await connection.fetchval(f'SELECT count(*) FROM "{view}"')  # noqa: S608
            dead[kind] = await connection.fetchval(
                f'SELECT coalesce(sum(dead_letters), 0)::bigint FROM "{runs}"'  # noqa: S608
            )
    finally:
        await connection.close(timeout=ANSWER_SECONDS)
    return pending, dead
