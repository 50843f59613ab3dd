"""What every floor has in common: its command line, its clock, and the one line that it prints."""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import uvloop

BATCH = 500
User = TypeVar("User")
Result = dict[str, float]
# Brings a batch of users from nothing to SYNCRONIZED.
Bring = Callable[[Sequence[User]], Awaitable[None]]


def batches_of(users: Sequence[User]) -> Iterator[Sequence[User]]:
    """The users in batches, of which only the last may be smaller."""
    return (users[first : first + BATCH] for first in range(0, len(users), BATCH))


async def run_lanes(users: Sequence[User], lanes: int, bring: Bring[User]) -> Result:
    """Bring all users through, `lanes` batches at a time: how many a second, at what CPU of this process."""
    waiting = list(batches_of(users))

    async def lane() -> None:
        while waiting:
            await bring(waiting.pop())

    began, began_cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "users_per_second": round(len(users) / seconds),
        "cpu_us_per_user": round(cpu_seconds / len(users) * 1e6, 1),
        "lanes": lanes,
    }


def main(
    description: str | None,
    make_users: Callable[[int], Sequence[User]],
    opened: Callable[[Sequence[User]], AbstractAsyncContextManager[Bring[User]]],
) -> None:
    """Measure once for each number of lanes, and print the fastest as one line of JSON, with all of them.

    The users are made before the clock starts; `opened` gives what brings them through.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--lanes", type=int, nargs="+", default=[2, 3], help="batches under way at a time")
    arguments = parser.parse_args()
    for name in ("POSTGRES_URL", "MONGODB_URL"):
        if name not in os.environ:
            parser.error(f"{name} is not set; `tandem status --json` shows the URLs of a running stack")
    users = make_users(arguments.users)

    async def measure() -> list[Result]:
        async with opened(users) as bring:
            return [await run_lanes(users, lanes, bring) for lanes in arguments.lanes]

    tried = uvloop.run(measure())
    best = max(tried, key=lambda result: result["users_per_second"])
    print(json.dumps({**best, "users": arguments.users, "tried": tried}))
