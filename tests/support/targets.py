"""What the attacks are aimed at: an instance itself, and the load balancer in front of it."""

import asyncio
import contextlib
import re
import resource
from collections.abc import AsyncIterator

import httpx

ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@contextlib.asynccontextmanager
async def crowd(port: int, size: int, opening: bytes) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """So many connections at a time, each of which has begun with these bytes."""
    allow_files()
    writers = []
    try:
        for _ in range(size):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            writer.write(opening)
        yield writers
    finally:
        for writer in writers:
            writer.transport.abort()


def allow_files() -> None:
    """Each connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))


async def statuses(port: int, request: bytes) -> list[int]:
    """The statuses of all that comes back until the connection closes; it must close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        async with asyncio.timeout(10):
            answered = await reader.read()
    finally:
        writer.close()
    return [int(status) for status in ANSWER.findall(answered)]


async def assert_answers_others(port: int) -> None:
    """A new client gets a user created and read, and the page."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        for path in ("/", "/health/ready", "/api/v1/user-query"):
            assert (await client.get(path)).status_code == 200
        created = await client.post("/api/v1/user-command?seed=others", json={"email": "jane@example.com"})
        assert created.status_code == 201
