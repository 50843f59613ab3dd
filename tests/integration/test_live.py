"""Watching a run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

URL = "/api/v1/user-command?seed=watched"


class Watching:
    """A client of the event stream."""

    def __init__(self, lines) -> None:
        self._lines = lines
        self.opening: list[str] = []

    async def next(self) -> dict:
        async for line in self._lines:
            if line.startswith("data: "):
                return msgspec.json.decode(line.removeprefix("data: "))
            self.opening.append(line)
        raise AssertionError("the stream has ended")

    async def until(self, condition) -> dict:
        async with asyncio.timeout(60):
            while True:
                event = await self.next()
                if condition(event):
                    return event


@asynccontextmanager
async def watch(client, seed: str = "watched") -> AsyncIterator[Watching]:
    async with client.stream("GET", f"/api/v1/live?seed={seed}") as answer:
        assert answer.status_code == 200
        yield Watching(answer.aiter_lines())


async def test_try(serve):
    one = await serve("instance-1")
    async with watch(one.client) as w:
        print(await w.next())
        for n in range(20):
            await one.client.post(URL, json={"email": f"a{n}@b.c"})
        for _ in range(5):
            print(await w.next())
    async with watch(one.client) as w:
        print(await w.next(), w.opening)
