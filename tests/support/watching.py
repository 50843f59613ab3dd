"""Watching a run as the page does: a client of the event stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from waiting import PATIENCE_SECONDS

Event = dict[str, Any]


class Watching:
    """An open stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> Event:
        """The next event; fails when the stream has ended."""
        async for line in self._lines:
            if line.startswith("data: "):
                return msgspec.json.decode(line.removeprefix("data: "))
        msg = "the stream has ended"
        raise AssertionError(msg)

    async def until(self, condition: Callable[[Event], bool]) -> list[Event]:
        """Events up to the first that meets the condition."""
        events = [await self.next()]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition(events[-1]):
                events.append(await self.next())
        return events

    async def rest(self) -> None:
        """Read to the end of the stream; an error if it breaks off."""
        async for _ in self._lines:
            pass


@asynccontextmanager
async def watch(client: httpx.AsyncClient, seed: str, aggregate: str = "user") -> AsyncIterator[Watching]:
    """Watch this run through the instance of this client."""
    async with client.stream("GET", "/api/v1/live", params={"seed": seed, "aggregate": aggregate}) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        yield Watching(answer.aiter_lines())


def instance_in(event: Event, app_id: str) -> Event:
    """What an event says of one instance."""
    (found,) = [instance for instance in event["instances"] if instance["appId"] == app_id]
    return found
