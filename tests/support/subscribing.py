"""A subscriber of the feed's stream, as a browser or a program is one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from waiting import PATIENCE_SECONDS


class Subscription:
    """An open stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        #: The last id that came, with an event or alone.
        self.last_id = ""

    async def next(self) -> dict[str, Any]:
        """The next event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")
                if line.startswith("data: "):
                    return msgspec.json.decode(line.removeprefix("data: "))
        msg = "the stream has ended"
        raise AssertionError(msg)

    async def heartbeat(self) -> None:
        """Wait for the comment that comes while nothing happens."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                if line.startswith(":"):
                    return
        msg = "the stream has ended"
        raise AssertionError(msg)

    async def rest(self) -> list[str]:
        """What comes until the stream ends."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [line async for line in self._lines]


@asynccontextmanager
async def subscribe(
    client: httpx.AsyncClient, last_id: str = "", **query: str
) -> AsyncIterator[Subscription]:
    """Open the stream through the instance of this client."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
    async with client.stream("GET", "/api/v1/events", params=query, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        yield Subscription(answer.aiter_lines())
