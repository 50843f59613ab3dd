"""The idea under all speed here, in 40 lines: what arrives while a batch is in flight forms the next one.

    python examples/coalescer.py

The real one (`tandem.kernel.coalescer`) adds what a service needs: bounds, several batches in flight,
retries, and finding the one item that a batch fails for.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable


class Coalescer:
    """Calls `write` with all that waits, as often as there is something."""

    def __init__(self, write: Callable[[list[str]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, user: str) -> None:
        """Return when the user is written."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((user, written))
        if self._writing is None:  # nothing is in flight, so a lone user goes at once
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._write([user for user, _ in batch])
            except Exception as error:
                for _, written in batch:
                    written.set_exception(error)
            else:
                for _, written in batch:
                    written.set_result(None)
        self._writing = None


class PretendedDatabase:
    """A round trip and a commit cost 2 ms however many users they carry, and each user 20 us more."""

    def __init__(self) -> None:
        self.batches: Counter[int] = Counter()
        self._connection = asyncio.Lock()

    async def write(self, users: list[str]) -> None:
        """Take the users."""
        async with self._connection:
            await asyncio.sleep(0.002 + 0.000_02 * len(users))
        self.batches[len(users)] += 1


async def measure(clients: int, users: int, *, coalesced: bool) -> None:
    """So many clients, each of which sends its next user when the last one is written."""
    database = PretendedDatabase()
    coalescer = Coalescer(database.write)

    async def client(number: int) -> None:
        for each in range(users // clients):
            user = f"user {number}-{each}"
            await (coalescer.add(user) if coalesced else database.write([user]))

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    rate = users / (time.perf_counter() - began)
    largest = max(database.batches)
    how = "coalesced" if coalesced else "one by one"
    print(f"{clients:>4} clients, {how:<10}  {rate:>8,.0f} users/s, batches of {largest} at most")


async def main() -> None:
    """The same clients without and with it."""
    for clients, users in ((1, 100), (200, 1_000)):
        for coalesced in (False, True):
            await measure(clients, users, coalesced=coalesced)


if __name__ == "__main__":
    asyncio.run(main())
