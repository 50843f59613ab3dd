"""Sends the load of the desk: a process of its own, so that the desk stays free to answer and to strike.

Each command has an idempotency key and is sent until it is answered for good, so that faults lose nothing.

    python -m tandem_lab.desk.sending

reads an `Order` from the standard input, writes a `Progress` twice a second, as lines of JSON, and ends at
SIGTERM once what it has sent is answered.
"""

import asyncio
import secrets
import signal
import sys
import time
from collections import deque
from datetime import timedelta
from urllib.parse import quote

import msgspec
import uvloop

from tandem.kernel import Backoff
from tandem.random_users import random_user
from tandem_lab.bench.generator import Connection
from tandem_lab.histogram import LatencyHistogram
from tandem_lab.proof.plan import Mix

# After this time a command is sent again, perhaps while the first is still being carried out.
ANSWER_SECONDS = 30.0
# Where nothing at all is acknowledged for so long, the load gives up; told to end, it waits less long.
PATIENCE_SECONDS, LAST_SECONDS = 120.0, 10.0
# No answer at all; and those that say: not now. 421 is for a cell that the balancer does not know yet.
AGAIN = {0, 408, 421, 429, 500, 502, 503, 504}
PAUSE = Backoff(longest=timedelta(seconds=1))
# How many of the users that were created are kept to be changed later.
MOST_KEPT = 10_000
TELL_EVERY_SECONDS = 0.5
# How far back the rate looks that is told.
RATE_SECONDS = 2.0
KINDS = {"create": 201, "update": 200, "delete": 204}


class Order(msgspec.Struct, frozen=True):
    """What to send, and where to. `rate`: commands a second, None is as fast as they are answered."""

    host: str
    port: int
    seed: str
    users: int
    connections: int
    rate: float | None
    mix: Mix
    #: The value of that header, if there is one.
    authorization: str = ""


class Progress(msgspec.Struct, rename="camel"):
    """What has come of it so far. Latencies are in ms, and count from when a command was due."""

    sent: int = 0
    acknowledged: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    failed: int = 0
    sent_again: int = 0
    per_second: float = 0.0
    ms: dict[str, float] = {}
    seconds: float = 0.0
    #: Why it ended before all was sent; empty: it did not.
    reason: str = ""


class GaveUp(Exception):
    """Going on makes no sense; says why."""


class Created(msgspec.Struct):
    """The part of an answer that is read."""

    id: int


class Line:
    """A connection that is opened again when it was lost."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._connection: Connection | None = None
        self._answer: asyncio.Future[int] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the whole text of the answer; 0 if there is none."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._connection is None:
                    _, self._connection = await loop.create_connection(
                        lambda: Connection(self._answered), self._order.host, self._order.port
                    )
                self._answer = loop.create_future()
                self._connection.send(request, 0.0)
                status, connection = await self._answer, self._connection
        except (OSError, TimeoutError):
            self._let_go()
            return 0, b""
        if status == 0:
            self._connection = None
        return status, connection.answer

    def _answered(self, connection: Connection, status: int) -> None:
        connection.busy = False
        if connection is self._connection and self._answer and not self._answer.done():
            self._answer.set_result(status)

    def _let_go(self) -> None:
        """Of an answer that comes later nobody knows to which request it belongs."""
        if self._connection is not None:
            self._connection.busy = False
            self._connection.close()
        self._connection = None


class Sender:
    """Carries out an order over its connections."""

    def __init__(self, order: Order) -> None:
        self.progress = Progress()
        self._order = order
        # Keys of its own, so that a second load of the same run is no repetition of the first.
        self._run = secrets.token_hex(8)
        self._head = f"Host: {order.host}:{order.port}\r\n" + (
            f"Authorization: {order.authorization}\r\n" if order.authorization else ""
        )
        self._creating = f"?seed={quote(order.seed, safe='')}"
        self._begun = self._number = 0
        self._latencies = LatencyHistogram()
        #: Users that no connection is changing just now.
        self._kept: deque[int] = deque()
        self._started = self._last = time.monotonic()
        self._marks: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._ends: float | None = None

    def stop(self) -> None:
        """Begin nothing new."""
        if self._ends is None:
            self._ends = time.monotonic() + LAST_SECONDS

    async def run(self) -> None:
        """Send all, or until told to stop, or until it makes no sense."""
        telling = asyncio.create_task(self._keep_telling())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._order.connections):
                    group.create_task(self._send_users(Line(self._order)))
        except* GaveUp as errors:
            self.progress.reason = str(errors.exceptions[0])
        telling.cancel()
        self._tell()

    async def _send_users(self, line: Line) -> None:
        order = self._order
        while self._ends is None and self._begun < order.users:
            index = self._begun
            self._begun += 1
            user = msgspec.json.encode(random_user(order.seed, index))
            answer = await self._carry_out(line, "create", "POST", self._creating, user)
            if answer is not None and len(self._kept) < MOST_KEPT:
                self._kept.append(msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=Created).id)
            for number in range(order.mix.updates_after(index)):
                await self._update(line, f"{self._run}-{index}-{number}")
            for _ in range(order.mix.deletes_after(index)):
                await self._delete(line)

    async def _update(self, line: Line, phone: str) -> None:
        if self._kept and self._ends is None:
            user = self._kept.popleft()
            await self._carry_out(line, "update", "PATCH", f"/{user}", b'{"phone":"%b"}' % phone.encode())
            self._kept.append(user)

    async def _delete(self, line: Line) -> None:
        if self._kept and self._ends is None:
            await self._carry_out(line, "delete", "DELETE", f"/{self._kept.popleft()}", b"")

    async def _carry_out(self, line: Line, kind: str, method: str, path: str, body: bytes) -> bytes | None:
        """Send a command until it is answered for good. The answer, or None if it was refused.

        Raises:
            GaveUp: nothing is acknowledged any more, or it is not allowed.
        """
        number = self._number
        self._number += 1
        due = await self._due(number)
        self.progress.sent += 1
        request = (
            f"{method} /api/v1/user-command{path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
            f"Idempotency-Key: {self._run}-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        tries = 1
        while (status := (answer := await line.ask(request))[0]) in AGAIN:
            self._give_up_in_time()
            self.progress.sent_again += 1
            await asyncio.sleep(PAUSE.seconds(tries))
            tries += 1
        if status in {401, 403}:
            raise GaveUp(f"Commands are answered {status}: send an access token with the scope `command`.")
        if status != KINDS[kind]:
            self.progress.failed += 1
            return None
        self._last = time.monotonic()
        self.progress.acknowledged[kind] += 1
        self._latencies.record((self._last - due) * 1000)
        return answer[1]

    async def _due(self, number: int) -> float:
        """When the command of this number is due, and not before."""
        now = time.monotonic()
        if self._order.rate is None:
            return now
        due = self._started + number / self._order.rate
        if due > now:
            await asyncio.sleep(due - now)
        return due

    def _give_up_in_time(self) -> None:
        now = time.monotonic()
        if self._ends is not None and now > self._ends:
            raise GaveUp("It was stopped while commands had no answer: they may have been carried out.")
        if now > self._last + PATIENCE_SECONDS:
            raise GaveUp(f"Nothing was acknowledged for {PATIENCE_SECONDS:g} s.")

    async def _keep_telling(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(TELL_EVERY_SECONDS)

    def _tell(self) -> None:
        now, progress = time.monotonic(), self.progress
        total = sum(progress.acknowledged.values())
        self._marks.append((now, total))
        while len(self._marks) > 2 and self._marks[1][0] <= now - RATE_SECONDS:
            self._marks.popleft()
        since, before = self._marks[0]
        progress.per_second = round((total - before) / max(now - since, 0.001), 1)
        progress.seconds = round(now - self._started, 1)
        percents = {"p50": self._latencies.percentile(50), "p99": self._latencies.percentile(99)}
        progress.ms = {name: round(ms, 1) for name, ms in percents.items() if ms is not None}
        sys.stdout.write(msgspec.json.encode(progress).decode() + "\n")
        sys.stdout.flush()


async def send(order: Order) -> None:
    """Carry out an order, until SIGTERM."""
    sender = Sender(order)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sender.stop)
    await sender.run()


if __name__ == "__main__":
    uvloop.run(send(msgspec.json.decode(sys.stdin.readline(), type=Order)))
