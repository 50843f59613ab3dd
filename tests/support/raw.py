"""Raw connections to the server of a client."""

import asyncio
import contextlib
import re
from pathlib import Path

ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@contextlib.asynccontextmanager
async def connected(client):
    """A connection to the server of that client."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_to(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def all_answers(client, request: bytes) -> bytes:
    """All that comes back until the connection closes; it must close."""
    async with connected(client) as (reader, writer):
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()


def statuses(answered: bytes) -> list[int]:
    return [int(status) for status in ANSWER.findall(answered)]


def memory_bytes() -> int:
    """The memory of this process, in which the server runs, too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def flood(client, opening: bytes, piece: bytes, size: int) -> tuple[int, bytes]:
    """Send pieces without end, to `size` bytes at most. How many were taken, and what came back."""
    async with connected(client) as (reader, writer):
        writer.write(opening)
        taken = 0
        try:
            async with asyncio.timeout(20):
                while taken < size:
                    writer.write(piece)
                    await writer.drain()
                    taken += len(piece)
        except (TimeoutError, ConnectionError):
            pass
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(5):
                return taken, await reader.read()
        return taken, b""


async def until_true(holds) -> None:
    """Wait until that function says yes."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)
