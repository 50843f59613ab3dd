"""Runs uvicorn in the caller's event loop, and stops it in an order that loses no request."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tandem.web.application import Application

# Longer than nginx keeps an idle connection (60 s), so that it is never we who close one about to be used.
_KEEP_ALIVE_SECONDS = 75
# When we stop: how long connections that are kept alive get to ask once more and be told `Connection: close`.
# Closing them at once would break a request that is already on its way, and nobody may resend a POST.
_LINGER_SECONDS = 0.5
_BACKLOG = 2_048


class ListenError(Exception):
    """The server cannot listen on the address that it was given; the message says what to do."""


async def serve(
    app: Application,
    host: str,
    port: int,
    *,
    drain: timedelta,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve `app` until SIGTERM or SIGINT, then drain and return.

    To drain: the listening socket closes first, then what is in hand is answered, for at most `drain`.
    Further signals change nothing, then and afterwards, so that the caller can close its databases in peace.

    Args:
        app: what answers.
        host: an address of this machine.
        port: 0 for any free one.
        drain: the longest time that requests in hand get to finish.
        on_ready: called with the port once connections are accepted.

    Raises:
        ListenError: the port is taken, or the address is not ours.
    """
    listener = _listen(host, port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        access_log=False,
        log_config=None,
        log_level="error",
        server_header=False,
        proxy_headers=False,
    )
    bound_port: int = listener.getsockname()[1]
    await _Server(config, app, stop, drain, lambda: on_ready and on_ready(bound_port)).serve([listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "another program uses it. Stop that one, or choose another port.",
            errno.EACCES: "this user may not. Choose a port above 1023.",
            errno.EADDRNOTAVAIL: "this machine has no such address.",
        }
        hint = hints.get(error.errno or 0, f"{error.strerror or error}.")
        msg = f"Cannot listen on {host}, port {port}: {hint}"
        raise ListenError(msg) from None


class _GatheredWrites:
    """A transport that sends what is written in one round of the event loop by one system call.

    uvicorn writes head and body of an answer apart, and uvloop sends each at once: a system call of 7 us more
    for every answer, a tenth of what a user costs an instance.
    """

    __slots__ = ("_loop", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this round."""
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)

    def close(self) -> None:
        """Close the connection once all that was written is sent."""
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with gathered writes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve a connection."""
        gathered = _GatheredWrites(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(cast("asyncio.Transport", gathered))


class _Server(uvicorn.Server):
    """uvicorn's server, stopped by an event, with time to say goodbye to its connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Application,
        stop: asyncio.Event,
        drain: timedelta,
        on_accepting: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._stop = stop
        self._drain_seconds = drain.total_seconds()
        self._on_accepting = on_accepting

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again before the databases are closed."""
        yield

    async def main_loop(self) -> None:
        """Wait for the stop. The tick renews the Date header."""
        self._on_accepting()
        while not self._stop.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listening socket, answer what is in hand, close the connections."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self._app.stop()
        connections, tasks = self.server_state.connections, self.server_state.tasks
        await _poll(lambda: not connections, min(_LINGER_SECONDS, self._drain_seconds))
        for connection in list(connections):
            connection.shutdown()  # an idle one closes now, a busy one after its answer
        await _poll(lambda: not connections and not tasks, self._drain_seconds)
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=1)


async def _poll(done: Callable[[], bool], limit_seconds: float) -> None:
    """Wait until `done`, or for `limit_seconds`. uvicorn has no event for a connection that closes."""
    deadline = asyncio.get_running_loop().time() + limit_seconds
    while not done() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
