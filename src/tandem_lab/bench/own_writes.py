"""Reading one's own writes: what a client sees that reads at once what it has just created or updated."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp
import msgspec

from tandem.random_users import random_user
from tandem_lab.bench.load import histogram_of
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS
from tandem_lab.bench.results import OwnWrites
from tandem_stack.waiting import together

COMMANDS = "/api/v1/user-command"
JSON = {"Content-Type": "application/json"}
TIMEOUT = aiohttp.ClientTimeout(total=20)
WAIT = {"Prefer": "wait=10"}


class Read(msgspec.Struct, frozen=True):
    """One read that wanted a version: whether PostgreSQL answered, with that or a later one, and how soon."""

    by_postgres: bool
    is_current: bool
    ms: float


async def measure_own_writes(url: str, users: int) -> list[OwnWrites]:
    """Create and update so many users over a few connections; after each command its version is read at once.

    There are two reads at a time, each on whichever instance: one that would wait for MongoDB, and one that
    would not.
    """
    seed, numbers = f"lab-own-{time.time_ns()}", iter(range(users))
    found: dict[str, list[tuple[Read, Read]]] = {"create": [], "update": []}

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = msgspec.json.encode(random_user(seed, number))
            created = await _command(session, "POST", f"{COMMANDS}?seed={seed}", body)
            found["create"].append(await _read_both(session, *created))
            body = msgspec.json.encode({"phone": str(number)})
            updated = await _command(session, "PATCH", f"{COMMANDS}/{created[0]}", body)
            found["update"].append(await _read_both(session, *updated))

    async with aiohttp.ClientSession(url, timeout=TIMEOUT) as session, together() as group:
        for _ in range(BROWSER_CONNECTIONS):
            group.create_task(client(session))
    return [own_writes_of(after, reads) for after, reads in found.items() if reads]


def own_writes_of(after: str, reads: Sequence[tuple[Read, Read]]) -> OwnWrites:
    """What pairs of reads show: the first of each came without a wait, the second with one."""
    plain, waiting = zip(*reads, strict=True)
    return OwnWrites(
        after,
        len(reads),
        round(sum(read.by_postgres for read in plain) / len(reads), 4),
        round(sum(read.by_postgres for read in waiting) / len(reads), 4),
        histogram_of([read.ms for read in waiting]).percentiles(),
        sum(not read.is_current for read in (*plain, *waiting)),
    )


async def _command(session: aiohttp.ClientSession, method: str, path: str, body: bytes) -> tuple[int, int]:
    """Carry out a command; returns the user's id and its version then."""
    async with session.request(method, path, data=body, headers=JSON, raise_for_status=True) as answer:
        user = await answer.json()
        return user["id"], user["version"]


async def _read_both(session: aiohttp.ClientSession, user_id: int, version: int) -> tuple[Read, Read]:
    async def read(headers: dict[str, str]) -> Read:
        began = time.perf_counter()
        path = f"/api/v1/user-query/{user_id}?version={version}"
        async with session.get(path, headers=headers) as answer:
            await answer.read()
        etag, source = answer.headers.get("ETag", "0"), answer.headers.get("Tandem-Source")
        ms = (time.perf_counter() - began) * 1000
        return Read(source == "PostgreSQL", int(etag.strip('"')) >= version, ms)

    return await asyncio.gather(read({}), read(WAIT))
