"""A relay in front of servers of this machine that answers later, as a server far away would.

    python -m tandem_lab.delay '{"5432": 0.002}'

It says on which ports it listens, and ends with its standard input. Each direction takes half of the delay.
What arrives is kept with the moment at which it is due: much can be on its way at once, as in a cable.
The handshake of a new connection is not delayed: who measures has pools.
"""

import asyncio
import re
import resource
import selectors
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from tandem_lab.bench.children import child, last_words
from tandem_lab.errors import LabError

LOCAL = "127.0.0.1"
SERVERS = ("postgres", "mongodb")
LONGEST_SECONDS = 10.0
#: What may be on its way in one direction of a connection: more than 1 GB/s at a delay of 10 ms.
MOST_BYTES = 16 * 2**20
#: `select` knows 1,024 descriptors; a connection takes two. More connections wait until others end.
MOST_DESCRIPTORS = 1_000

Action = Callable[[asyncio.Transport], None]


class Side(asyncio.Protocol):
    """One end of a connection. What arrives here leaves at the `other` end `seconds` later."""

    other: "Side"

    def __init__(self, seconds: float, until_open: Callable[[], None] = lambda: None) -> None:
        self._seconds = seconds
        self._until_open = until_open
        self._transport: asyncio.Transport | None = None
        self._due: deque[tuple[float, int, Action]] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = self._is_held = self._has_sent_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what has come from the other side meanwhile."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        transport.set_write_buffer_limits(MOST_BYTES)
        self._transport = transport
        self._until_open()
        self.other.send_due()

    def data_received(self, data: bytes) -> None:
        """Send it when it is due."""
        self._later(len(data), lambda transport: transport.write(data))

    def eof_received(self) -> bool:
        """The other side may still send."""
        self._later(0, self._end)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is lost as well, once it has got what was sent before."""
        self._later(0, lambda transport: transport.abort() if exc else transport.close())

    def pause_writing(self) -> None:
        """Whoever reads here is slow."""
        self._is_full = True
        self.other.hold_or_go_on()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_full = False
        self.other.hold_or_go_on()

    def hold_or_go_on(self) -> None:
        """Read on only while what is read has a place to go."""
        hold = self._bytes > MOST_BYTES or self.other._is_full
        if self._transport is not None and hold != self._is_held and not self._transport.is_closing():
            self._is_held = hold
            (self._transport.pause_reading if hold else self._transport.resume_reading)()

    def send_due(self) -> None:
        """Pass on what is due by now, and come back for the rest. All of it waits for a connection."""
        target, loop = self.other._transport, asyncio.get_running_loop()
        if target is None:
            return
        self._timer = None
        while self._due and self._due[0][0] <= loop.time():
            _, size, action = self._due.popleft()
            self._bytes -= size
            if not target.is_closing():
                action(target)
        if self._due:
            self._timer = loop.call_at(self._due[0][0], self.send_due)
        self.hold_or_go_on()

    def give_up(self) -> None:
        """End the connection at once: nobody answers at the other end."""
        if self._transport is not None:
            self._transport.abort()

    def _later(self, size: int, action: Action) -> None:
        loop = asyncio.get_running_loop()
        self._due.append((loop.time() + self._seconds, size, action))
        self._bytes += size
        if self._timer is None and self.other._transport is not None:
            self._timer = loop.call_at(self._due[0][0], self.send_due)
        self.hold_or_go_on()

    def _end(self, transport: asyncio.Transport) -> None:
        """The sender has sent all. If the other one has, too, nothing is left to do."""
        self._has_sent_all = True
        transport.write_eof()
        if self.other._has_sent_all:
            transport.close()


class Relay:
    """Passes connections on to `port`. Each direction takes so many seconds."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._connecting: set[asyncio.Task[None]] = set()

    def __call__(self) -> Side:
        """The near side of a new connection. The far one is being opened."""
        near, far = Side(self._seconds, lambda: self._begin(near, far)), Side(self._seconds)
        near.other, far.other = far, near
        return near

    def _begin(self, near: Side, far: Side) -> None:
        task = asyncio.create_task(self._connect(near, far))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, near: Side, far: Side) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, LOCAL, self._port)
        except OSError:
            near.give_up()


@asynccontextmanager
async def delaying(delays: Mapping[int, float]) -> AsyncIterator[dict[int, int]]:
    """Run a relay for ports of this machine and their delays in seconds. Gives its own port for each.

    Raises:
        LabError: it does not start.
    """
    if not delays:
        yield {}
        return
    async with child("tandem_lab.delay", msgspec.json.encode(delays).decode()) as process:
        assert process.stdout is not None  # noqa: S101 - narrows the type: it is a pipe
        said = await process.stdout.readline()
        if not said:
            _, errors = await process.communicate()
            raise LabError(f"The relay that delays does not start: {last_words(errors)}")
        yield msgspec.json.decode(said, type=dict[int, int])


def over(ways: Mapping[int, int], url: str) -> str:
    """The URL with the port of the relay that is in front of its server, if there is one."""
    return re.sub(r":(\d+)/", lambda found: f":{ways.get(int(found[1]), found[1])}/", url, count=1)


def parse_delays(text: str) -> dict[str, float]:
    """Such as postgres=2ms,mongodb=5ms: seconds by the server's name.

    Raises:
        ValueError: it is none; says what is expected.
    """
    found = {}
    for each in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?)(us|ms|s)", each.strip())
        if match is None or match[1] not in SERVERS:
            msg = f"{each!r} is no delay like postgres=2ms. Servers: {', '.join(SERVERS)}; units: us, ms, s."
            raise ValueError(msg)
        found[match[1]] = float(match[2]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[match[3]]
        if found[match[1]] > LONGEST_SECONDS:
            raise ValueError(f"A delay is at most {LONGEST_SECONDS:g} s: services would give up.")
    return found


async def main(delays: Mapping[int, float]) -> None:
    """Relay until the standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    ports = {}
    for port, seconds in delays.items():
        server = await loop.create_server(Relay(port, seconds / 2), LOCAL, 0)
        ports[port] = server.sockets[0].getsockname()[1]
    print(msgspec.json.encode(ports).decode(), flush=True)  # noqa: T201 - the other process waits for it
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


if __name__ == "__main__":
    # Timers of epoll, and so of asyncio as it comes, are whole milliseconds. Those of select are not.
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_DESCRIPTORS, MOST_DESCRIPTORS))
    with asyncio.Runner(
        loop_factory=partial(asyncio.SelectorEventLoop, selectors.SelectSelector())
    ) as runner:
        runner.run(main(msgspec.json.decode(sys.argv[1], type=dict[int, float])))
