"""The load generator: a process of its own that sends prepared requests and counts the answers.

There are two kinds of load. *Closed*: N connections, each of which sends its next request when the last one
is answered, so that the server decides the rate. *Open*: requests are due at fixed times, whether or not the
earlier ones are answered. A latency counts from when its request was due, so that a server that stalls cannot
hide it (coordinated omission; Gil Tene, "How NOT to Measure Latency", 2013).

The lab uses aiohttp for all other requests. The generator has an HTTP client of its own, because it takes its
CPU from the machine that it measures: 11 us for a request, a seventh of what the instance spends. It speaks
just enough HTTP/1.1 for the answers of this service, and its report contains its cost.

    python -m tandem_lab.bench.generator plan.json outcome.json
"""

import asyncio
import itertools
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvloop

from tandem.aggregates.installed import named
from tandem.random_users import random_users

# Requests that are not answered this long after the end of the load count as failed.
GRACE_SECONDS = 30.0
# How long an open load waits at least before it looks for due requests again.
TICK_SECONDS = 0.001


class Plan(msgspec.Struct, frozen=True):
    """What to send: users to create, users to change, or paths to read."""

    host: str
    port: int
    seconds: float
    connections: int
    #: How many requests to prepare. A load that has sent them all ends early.
    requests: int
    #: Requests due per second; None is a closed load.
    rate: float | None = None
    #: The run that users are created in, or the name of a load of changes; None reads `paths`, over and over.
    seed: str | None = None
    paths: tuple[str, ...] = ()
    #: How the users `targets` are changed, in this order: by PATCH or DELETE; "" creates users.
    method: str = ""
    targets: tuple[int, ...] = ()
    #: The aggregate that is created, by its trial, which is given `targets`; "" creates users.
    aggregate: str = ""
    #: The fields that users are created with; all, if none are named.
    fields: tuple[str, ...] = ()
    #: Whether each change is to be one of the version that was read before.
    if_match: bool = False
    #: The peer that users are created in, by the name that its adapter is found by; see `peer_generator`.
    peer: str = ""


class Outcome(msgspec.Struct):
    """What came of a plan. Latencies are in milliseconds, in the order of the answers."""

    #: When the first request was sent, by the machine's monotonic clock.
    started_at: float = 0.0
    sent: int = 0
    answered: int = 0
    failed: int = 0
    seconds: float = 0.0
    latencies_ms: list[float] = []
    #: When each answer came, in seconds since the start.
    answered_at: list[float] = []
    statuses: dict[str, int] = {}
    cpu_us_per_request: float = 0.0
    #: The share of the time that this process was busy. Near 1 the generator was measured, not the service.
    busy: float = 0.0
    #: The longest delay with which an open load sent a due request although a connection was free.
    latest_ms: float = 0.0
    ran_out: bool = False


def requests_of(plan: Plan) -> Iterator[bytes]:
    """All requests of a plan, in the order in which they are sent."""
    if plan.seed is None:
        return read_requests(plan)
    return change_requests(plan) if plan.method else create_requests(plan)


def create_requests(plan: Plan) -> Iterator[bytes]:
    """A POST for each user or aggregate of the plan, all different, each with a key of its own."""
    what = f"POST /api/v1/{plan.aggregate or 'user'}-command?seed={plan.seed}"
    for number, body in enumerate(_aggregates(plan) if plan.aggregate else _users(plan)):
        yield _command(plan, what, number, body)


def _users(plan: Plan) -> Iterator[bytes]:
    for user in random_users(str(plan.seed), 0, plan.requests):
        some = {name: getattr(user, name) for name in plan.fields}
        yield msgspec.json.encode(some or user)


def _aggregates(plan: Plan) -> Iterator[bytes]:
    trial = named(plan.aggregate).trial
    assert trial is not None  # noqa: S101 - narrows the type: it was asked before
    for number in range(plan.requests):
        dice = random.Random(f"{plan.seed}-{number}")  # noqa: S311 - it must be repeatable
        yield msgspec.json.encode(trial.create(dice, plan.targets))


def change_requests(plan: Plan) -> Iterator[bytes]:
    """For each target a PATCH to a telephone number that is new, or a DELETE, each with a key of its own."""
    for number, user_id in enumerate(plan.targets):
        body = b"" if plan.method == "DELETE" else msgspec.json.encode({"phone": f"{plan.seed}-{number}"})
        yield _command(plan, f"{plan.method} /api/v1/user-command/{user_id}", number, body)


def _command(plan: Plan, what: str, number: int, body: bytes) -> bytes:
    head = (
        f"{what} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {plan.seed}-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def read_requests(plan: Plan) -> Iterator[bytes]:
    """GETs of the paths of the plan, in turn."""
    host = f"{plan.host}:{plan.port}"
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in plan.paths]
    return itertools.islice(itertools.cycle(requests), plan.requests)


class Connection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self, on_answer: "Callable[[Connection, int], None]") -> None:
        self._on_answer = on_answer
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.due = 0.0
        self.busy = False
        #: The last request, and the whole answer to it.
        self.request = b""
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, due: float) -> None:
        """Send a request, which was due at the time `due`."""
        self.due = due
        self.busy = True
        self.request = request
        if self._transport is None or self._transport.is_closing():
            # Later: what is told of it sends the next request at once.
            asyncio.get_running_loop().call_soon(self._on_answer, self, 0)
        else:
            self._transport.write(request)

    def close(self) -> None:
        """Close it now. A request in flight gets no answer."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect one whole answer, then report its status."""
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or len(buffer) < end + 4 + int(header(buffer, b"content-length") or 0):
            self._buffer = buffer
            return
        self._buffer = b""
        self.answer = buffer
        self._on_answer(self, int(buffer[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """A request in flight has failed."""
        del exc
        if self.busy:
            self._on_answer(self, 0)


def header(message: bytes, name: bytes) -> bytes:
    """The value of a header, whose name is in lower case; empty if there is none."""
    head = message[: message.find(b"\r\n\r\n") + 2].lower()
    start = head.find(b"\r\n%b:" % name)
    return head[start + len(name) + 3 : head.find(b"\r\n", start + 2)].strip() if start >= 0 else b""


class Load:
    """Sends the requests of a plan over its connections."""

    def __init__(self, plan: Plan, requests: list[bytes]) -> None:
        self.outcome = Outcome()
        self._plan = plan
        self._requests = deque(requests)
        self._idle: deque[Connection] = deque()
        self._overdue: deque[float] = deque()
        self._in_flight = 0
        self._started = 0.0
        self._ends = 0.0
        self._done = asyncio.Event()

    async def run(self) -> Outcome:
        """Send until the time is up or nothing is left, then wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(
                self._new_connection, self._plan.host, self._plan.port
            )
            self._idle.append(connection)
        used = time.process_time()
        self._started = self.outcome.started_at = time.monotonic()
        self._ends = self._started + self._plan.seconds
        if self._plan.rate is None:
            self._send_to_all()
        else:
            await self._send_what_is_due(self._plan.rate)
        try:
            async with asyncio.timeout(self._plan.seconds + GRACE_SECONDS):
                while self._in_flight or self._overdue:
                    self._done.clear()
                    await self._done.wait()
        except TimeoutError:
            self.outcome.failed += self._in_flight + len(self._overdue)
        outcome, cpu_seconds = self.outcome, time.process_time() - used
        outcome.seconds = time.monotonic() - self._started
        outcome.cpu_us_per_request = 1e6 * cpu_seconds / max(outcome.answered, 1)
        outcome.busy = cpu_seconds / outcome.seconds
        return outcome

    def _new_connection(self) -> Connection:
        return Connection(self._answered)

    def _send_to_all(self) -> None:
        now = time.monotonic()
        while self._idle and self._requests:
            self._send(self._idle.popleft(), now)

    async def _send_what_is_due(self, rate: float) -> None:
        due = self._started
        step = 1.0 / rate
        while due < self._ends and self._requests:
            now = time.monotonic()
            while due <= now and due < self._ends:
                if self._idle and self._requests:
                    self.outcome.latest_ms = max(self.outcome.latest_ms, (now - due) * 1000)
                    self._send(self._idle.popleft(), due)
                else:
                    self._overdue.append(due)
                due += step
            await asyncio.sleep(max(TICK_SECONDS, due - time.monotonic()))
        self.outcome.ran_out = not self._requests

    def _send(self, connection: Connection, due: float) -> None:
        self._in_flight += 1
        self.outcome.sent += 1
        connection.send(self._begin(connection), due)

    def _begin(self, connection: Connection) -> bytes:
        """What to send on this connection, which is idle."""
        del connection
        return self._requests.popleft()

    def _answered(self, connection: Connection, status: int, is_accepted: bool | None = None) -> None:
        """`is_accepted`: whether what was asked for is done; None leaves that to the status."""
        now = time.monotonic()
        connection.busy = False
        self._in_flight -= 1
        outcome = self.outcome
        self._count(status)
        if 200 <= status < 300 if is_accepted is None else is_accepted:
            outcome.answered += 1
            outcome.latencies_ms.append((now - connection.due) * 1000)
            outcome.answered_at.append(now - self._started)
        else:
            outcome.failed += 1
        self._next(connection, now)
        self._done.set()

    def _count(self, status: int) -> None:
        self.outcome.statuses[str(status)] = self.outcome.statuses.get(str(status), 0) + 1

    def _next(self, connection: Connection, now: float) -> None:
        if self._overdue and self._requests:
            self._send(connection, self._overdue.popleft())
        elif self._plan.rate is None and now < self._ends and self._requests:
            self._send(connection, now)
        else:
            self.outcome.ran_out = not self._requests
            if self.outcome.ran_out:
                self._overdue.clear()
            self._idle.append(connection)


class ReadModifyWrite(Load):
    """Reads each user, and changes it on the condition that it still has the version that was read.

    Where it has another one, the answer is a 412 that names it. That one is read, and the change sent again.
    """

    def __init__(self, plan: Plan, requests: list[bytes]) -> None:
        super().__init__(plan, requests)
        self._changes: dict[Connection, bytes] = {}

    def _begin(self, connection: Connection) -> bytes:
        change = self._changes[connection] = super()._begin(connection)
        return reading(change, b"1")

    def _answered(self, connection: Connection, status: int, is_accepted: bool | None = None) -> None:
        change, version = self._changes[connection], header(connection.answer, b"etag").strip(b'w/"')
        if status == 412:
            self._count(status)
            connection.send(reading(change, version), connection.due)
        elif status == 200 and connection.request.startswith(b"GET"):
            connection.send(expecting(change, version), connection.due)
        else:
            super()._answered(connection, status, is_accepted)


def reading(change: bytes, version: bytes) -> bytes:
    """The read that comes before a change: of the user in this version or a later one."""
    path, host = change.split(b" ", 2)[1].replace(b"user-command", b"user-query"), header(change, b"host")
    return b"GET %b?version=%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, version, host)


def expecting(change: bytes, version: bytes) -> bytes:
    """The change, on the condition that the user has this version."""
    return change.replace(b"\r\n\r\n", b'\r\nIf-Match: "%b"\r\n\r\n' % version, 1)


def prepared_load(plan: Plan) -> Load:
    """The load of a plan, with all its requests."""
    return (ReadModifyWrite if plan.if_match else Load)(plan, list(requests_of(plan)))


def main(prepare: Callable[[Plan], Load] = prepared_load) -> None:
    """Read a plan, prepare, wait for a line on the standard input, carry the plan out, write the outcome."""
    plan_file, outcome_file = map(Path, sys.argv[1:])
    load = prepare(msgspec.json.decode(plan_file.read_bytes(), type=Plan))
    # Preparing takes seconds that are not part of the run. So the measuring process says when to begin.
    print("ready", flush=True)  # noqa: T201 - the other process waits for this line
    sys.stdin.readline()
    outcome = uvloop.run(load.run())
    outcome_file.write_bytes(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
