"""Serves an application with Granian in the caller's event loop, and stops without losing a request.

Granian's embedded server calls itself experimental. Apart from its interface we rely on two of its parts. One
makes the listening socket: ours returns one that we have opened. The other begins requests: ours begins them
when their body is there (`tandem.http.rsgi`). tests/integration/http checks what is promised here.
"""

import asyncio
import math
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
from granian import _granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder
from granian.server.embed import Server

from tandem.http.limits import Answers, Limits
from tandem.http.rsgi import RsgiApplication
from tandem.http.sockets import BACKLOG, count_connections, listen, stop_listening

# When we stop, clients on idle connections get this long to ask once more, and are told `Connection: close`.
# Closing at once would break a request that is already on its way, and a client may not resend a POST.
_LINGER_SECONDS = 0.5
# Once everything is answered, or the time to drain is over, the last bytes get this long to reach clients. It
# is bounded because Granian would also wait for heads that are sent half.
_LAST_BYTES_SECONDS = 5.0
_MOST_FILES = 65_536
# Files besides connections: databases, logs, the loop. Granian cannot cope with having no file left to open.
_OTHER_FILES = 200
# Granian's types are not up to date.
_native: Any = _granian


async def serve(  # noqa: PLR0913
    app: Answers,
    address: tuple[str, int],
    *,
    stop: Callable[[], Awaitable[Any]],
    drain: timedelta,
    limits: Limits | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve `app` until `stop` returns, then drain and return.

    To drain: the listening socket closes first, then what is in flight is answered, for at most `drain`.

    Args:
        app: what answers.
        address: an address of this machine, and a port: 0 for any free one.
        stop: what to wait for.
        drain: the longest time that requests in flight get to finish.
        limits: what a client may send and how long it may take.
        on_ready: called with the port once connections are accepted.

    Raises:
        ListenError: the port is taken, or the address is not ours.
    """
    limits = limits or Limits()
    listener = listen(*address, answer_seconds=limits.answer_seconds)
    port = listener.getsockname()[1]
    limits = msgspec.structs.replace(limits, connections=min(limits.connections, _allow_files()))
    application = RsgiApplication(app, limits, port)
    app.counters.count_connections = lambda: count_connections(port)
    server = _Server(application, listener, limits)
    serving = asyncio.ensure_future(server.serve(_work))  # type: ignore[arg-type]
    clock = asyncio.ensure_future(_keep_time(application))
    try:
        # Granian begins in the loop's next round. Clients that connect before that are accepted then.
        if on_ready is not None:
            on_ready(port)
        await _until_either(serving, asyncio.ensure_future(stop()))
        if serving.done():
            serving.result()  # raises what ended it
    finally:
        application.stopping.set()
        stop_listening(listener)
        await _drain(server, serving, application, port, drain.total_seconds())
        clock.cancel()


class _Server(Server):
    """Granian in this event loop, on a socket that listens already."""

    def __init__(self, application: RsgiApplication, listener: socket.socket, limits: Limits) -> None:
        super().__init__(
            application,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=limits.connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(limits.head_seconds * 1000), max_buffer_size=limits.head_bytes
            ),
            log_level=LogLevels.error,
            # What it logs goes where all logs go.
            log_dictconfig={"incremental": True, "handlers": {}, "loggers": {}},
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Granian closes the socket that it is given, so it gets a duplicate.
        number = os.dup(self._listener.fileno())
        # Its types are not up to date.
        self._shd = SocketHolder(number, False, BACKLOG)  # type: ignore[assignment,call-arg]
        self._sfd = number  # type: ignore[assignment]


async def _work(
    number: int, stop: _granian.WorkerSignal, application: RsgiApplication, sockets: Any, *options: Any
) -> None:
    """What Granian's server does to serve, but for what begins a request."""
    *bounds, _, http, http1, http2, websockets, files, _, tls, _ = options
    loop = asyncio.get_running_loop()
    # Of its arguments, ours needs none.
    scheduler = _native.CallbackScheduler(loop, None, None, None, None)
    scheduler._schedule_fn = application.take
    ended = loop.create_future()
    stop.add_cb(lambda: loop.call_soon_threadsafe(ended.set_result, None))
    worker = _native.RSGIWorker(
        number, sockets, None, *bounds, http, http1, http2, websockets, files, *tls, (None, None)
    )
    worker.serve_async(scheduler, loop, stop)
    await ended


def _allow_files() -> int:
    """Raise the limit of open files, often far above the usual 1,024. How many connections fit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_FILES if allowed == resource.RLIM_INFINITY else max(1, allowed - _OTHER_FILES)


async def _keep_time(application: RsgiApplication) -> None:
    tick = min(1.0, application.limits.body_seconds)
    while True:
        await asyncio.sleep(tick)
        application.give_up_slow_bodies()


async def _drain(
    server: _Server, serving: "asyncio.Task[None]", application: RsgiApplication, port: int, seconds: float
) -> None:
    """Answer what is in flight, close the connections."""
    lingered = 0.0
    while lingered < min(_LINGER_SECONDS, seconds) and count_connections(port):
        await asyncio.sleep(0.02)
        lingered += 0.02
    server.stop()  # type: ignore[no-untyped-call]
    deadline = asyncio.get_running_loop().time() + seconds
    while not application.is_idle and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    application.begin_slow_ones(math.inf)
    await asyncio.sleep(0)  # a task that is cancelled before it has begun would answer nothing
    for task in application.tasks:
        task.cancel()
    await asyncio.wait((serving,), timeout=_LAST_BYTES_SECONDS)


async def _until_either(serving: "asyncio.Future[Any]", stop: "asyncio.Future[Any]") -> None:
    """Wait for one of the two, and cancel `stop`."""
    try:
        await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
