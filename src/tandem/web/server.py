"""Listens in the caller's event loop, and stops in an order that loses no request."""

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Callable
from datetime import timedelta
from email.utils import formatdate

from tandem.web.connection import Answers, Connection, Limits, Shared

# When we stop: how long connections that are kept alive get to ask once more and be told `Connection: close`.
# Closing them at once would break a request that is already on its way, and nobody may resend a POST.
_LINGER_SECONDS = 0.5
_BACKLOG = 2_048
_MOST_FILES = 65_536


class ListenError(Exception):
    """The server cannot listen on the address that it was given; the message says what to do."""


async def serve(
    app: Answers,
    address: tuple[str, int],
    *,
    drain: timedelta,
    limits: Limits | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve `app` until SIGTERM or SIGINT, then drain and return.

    To drain: the listening socket closes first, then what is in hand is answered, for at most `drain`.
    Further signals change nothing, then and afterwards, so that the caller can close its databases in peace.

    Args:
        app: what answers.
        address: an address of this machine, and a port: 0 for any free one.
        drain: the longest time that requests in hand get to finish.
        limits: what a client may send and how long it may take.
        on_ready: called with the port once connections are accepted.

    Raises:
        ListenError: the port is taken, or the address is not ours.
    """
    listener = _listen(*address)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shared = Shared(app, limits or Limits())
    _allow_files()
    clock = asyncio.create_task(_keep_time(shared))
    server = await loop.create_server(lambda: Connection(shared), sock=listener, backlog=_BACKLOG)
    if on_ready is not None:
        on_ready(listener.getsockname()[1])
    await stop.wait()
    server.close()
    listener.close()
    await _drain(shared, drain.total_seconds())
    clock.cancel()


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


def _allow_files() -> None:
    """A connection is an open file, and often 1,024 are allowed where many more may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _keep_time(shared: Shared) -> None:
    """Each second (or as often as the shortest limit needs): the Date header, and who is overdue."""
    limits = shared.limits
    tick = min(1.0, limits.head_seconds, limits.body_seconds, limits.answer_seconds, limits.idle_seconds)
    while True:
        shared.now = shared.loop.time()
        shared.date = b"Date: %b\r\n" % formatdate(usegmt=True).encode()
        for connection in list(shared.connections):
            connection.close_if_overdue()
        await asyncio.sleep(tick)


async def _drain(shared: Shared, seconds: float) -> None:
    """Answer what is in hand, close the connections."""
    shared.stopping.set()
    connections = shared.connections
    await _poll(lambda: not connections, min(_LINGER_SECONDS, seconds))
    for connection in list(connections):
        connection.close()  # an idle one closes now, a busy one after its answer
    await _poll(lambda: not connections, seconds)
    for connection in list(connections):
        connection.cancel()
    await _poll(lambda: not any(connection.busy for connection in connections), 1)


async def _poll(done: Callable[[], bool], limit_seconds: float) -> None:
    """Wait until `done`, or for `limit_seconds`."""
    deadline = asyncio.get_running_loop().time() + limit_seconds
    while not done() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
