"""The application as RSGI, which Granian speaks: from its scope to `RawRequest`, and back from answers.

Granian would begin a request when its head is there. The application would ask for the body, and wait for
both threads of Granian's once more: where requests are few, that is a quarter of what a POST costs here. So
we ask for a small body in Granian's thread, and the loop learns of the request when all of it is there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

import msgspec
from granian.rsgi import Headers, HTTPProtocol, ProtocolClosed, Scope

from tandem.http.application import CLIENT_LEFT
from tandem.http.bodies import BROKEN_OFF, length_of, read_within, too_slow
from tandem.http.heads import CLOSE, bad_head, check_head, headers_of
from tandem.http.limits import Answers, Limits
from tandem.http.problems import ProblemError, bad_parameter
from tandem.http.requests import READING, WITHOUT_BODY, RawHeaders, RawRequest, Response, StreamResponse
from tandem.http.rsgi_streams import StreamSender


class Watcher(Protocol):
    """What Granian hands over for each request. One of `done` and `err` must be called at its end."""

    scope: Scope
    proto: HTTPProtocol

    def taskref(self, task: asyncio.Task[Any]) -> None:
        """Say which task answers."""

    def done(self) -> None:
        """The request was answered."""

    def err(self, error: BaseException) -> None:
        """It was not. Granian logs why."""


class _Body(msgspec.Struct, frozen=True):
    """A small body that was asked for."""

    whole: Awaitable[bytes]
    #: When it was asked for.
    since: float


class RsgiApplication:
    """Answers what Granian has read.

    Args:
        app: what answers.
        limits: what a client may send and how long it may take.
        port: the one that we listen on. A connection is found by it and the client's address.
    """

    def __init__(self, app: Answers, limits: Limits, port: int) -> None:
        self.limits = limits
        self.counters = app.counters
        self._app = app
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        #: Set when the server stops: connections close after their next answer, endless streams end.
        self.stopping = asyncio.Event()
        #: The requests in flight that have begun.
        self.tasks: set[asyncio.Task[Any]] = set()
        #: The requests that begin when their body is there.
        self._coming: dict[Watcher, _Body] = {}
        #: The requests that wait for their body, and since when. A timer for each would cost more than all
        #: else.
        self._receiving: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    def take(self, watcher: Watcher) -> None:
        """Begin a request, at the latest when its body is there. Granian calls it in a thread of its own."""
        if not self._begins_with_body(watcher.scope.headers):
            self._loop.call_soon_threadsafe(self._begin, watcher, None, context=self._context)
            return
        body: Any = watcher.proto()
        self._coming[watcher] = _Body(body, time.perf_counter())
        # Granian's thread sets the result, and that is this one: it cannot be there yet.
        body.add_done_callback(lambda _: self._body_came(watcher), self._context)

    @property
    def is_idle(self) -> bool:
        """Whether no request is in flight."""
        return not (self.tasks or self._coming)

    def begin_slow_ones(self, until: float) -> None:
        """Begin the requests whose bodies should have been there by then, by the performance counter."""
        # A copy made at once, since Granian's thread adds to it.
        for watcher, body in list(self._coming.items()):
            if body.since <= until:
                self._body_came(watcher)

    def _begins_with_body(self, headers: Headers) -> bool:
        """Whether the body is small, and comes by itself: a client that expects something waits first."""
        length = headers.get("content-length", "")
        return length.isdecimal() and 0 < int(length) <= self.limits.body_bytes and "expect" not in headers

    def _body_came(self, watcher: Watcher) -> None:
        body = self._coming.pop(watcher, None)
        if body is not None:
            self._begin(watcher, body)

    def _begin(self, watcher: Watcher, body: _Body | None) -> None:
        task = self._loop.create_task(self._answer_watched(watcher, body))
        self.tasks.add(task)
        watcher.taskref(task)

    async def _answer_watched(self, watcher: Watcher, body: _Body | None) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - narrows the type: this coroutine only runs as a task
        try:
            await self._answer(_Request(watcher.scope, watcher.proto, self, task, body), watcher)
        except BaseException as error:
            watcher.err(error)
        else:
            watcher.done()
        finally:
            self.tasks.discard(task)

    async def _answer(self, request: "_Request", watcher: Watcher) -> None:
        answer = request.refusal or await self._app.answer(request)
        if request.owes_body and request.refusal is None:
            await request.discard_body()
        headers = [*answer.security, *answer.headers]
        if answer.status not in WITHOUT_BODY:
            headers.insert(0, ("Content-Type", answer.media_type))
        if self.stopping.is_set() or request.is_last:
            headers.append(CLOSE)
        if isinstance(answer, StreamResponse):
            sender = StreamSender(watcher.proto, watcher.scope.client, self._port, self.stopping)
            await sender.send(answer, headers, head_only=request.method == "HEAD")
        elif answer is not CLIENT_LEFT:
            self._send(answer, headers, watcher.proto)

    def _send(self, answer: Response, headers: list[tuple[str, str]], proto: HTTPProtocol) -> None:
        if answer.body:
            proto.response_bytes(answer.status, headers, answer.body)
        else:
            proto.response_empty(answer.status, headers)

    async def body_of(self, request: "_Request", proto: HTTPProtocol, arriving: _Body | None) -> bytes:
        """The whole body of this request; `arriving` if it was asked for before.

        Raises:
            ProblemError: see `RawRequest.body`.
        """
        length = length_of(request.headers)
        if length == 0:
            return b""
        task = request.task
        self._receiving[task] = request.since
        try:
            if arriving:
                return await arriving.whole
            if length is not None and length <= self.limits.body_bytes:
                return await proto()
            return await read_within(_chunks(proto), length, self.limits)
        except ProtocolClosed:
            raise bad_head(BROKEN_OFF) from None
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            self.counters.refused[408] += 1
            raise too_slow() from None
        except ProblemError as problem:
            self.counters.refused[problem.status] += 1
            raise
        finally:
            del self._receiving[task]
            self._overdue.discard(task)

    def give_up_slow_bodies(self) -> None:
        """End the requests whose body takes too long. To be called about once a second."""
        latest = time.perf_counter() - self.limits.body_seconds
        for task in [task for task, since in self._receiving.items() if since < latest]:
            self._overdue.add(task)
            task.cancel()
        self.begin_slow_ones(latest)


class _Request(RawRequest):
    """A request whose head Granian has read."""

    __slots__ = ("_app", "_body", "_proto", "owes_body", "refusal", "task")

    def __init__(
        self,
        scope: Scope,
        proto: HTTPProtocol,
        app: RsgiApplication,
        task: asyncio.Task[Any],
        body: _Body | None,
    ) -> None:
        pairs = scope.headers.items()
        # Granian has percent-decoded the path, once.
        path = scope.path.replace("%", "%25")
        headers = headers_of(pairs)
        super().__init__(scope.method, path.encode(), scope.query_string.encode(), headers)
        self.task = task
        self._proto = proto
        self._app = app
        self._body = body
        if body is not None:
            self.since = body.since
        #: Whether a body is still to be read.
        self.owes_body = "content-length" in headers or "transfer-encoding" in headers
        #: The answer to a head that is against the rules.
        self.refusal: Response | None = None
        try:
            self._check(scope, pairs)
        except ProblemError as problem:
            app.counters.refused[problem.status] += 1
            self.refusal = problem.response()

    @property
    def is_last(self) -> bool:
        """Whether the connection must close after the answer.

        It must close after a body in chunks. If there was a length as well, Granian has ignored it and does
        not say so. A proxy may then have read another request than we have, and whatever follows could be
        anything (RFC 9112, section 6.3).
        """
        return "transfer-encoding" in self.headers

    def _check(self, scope: Scope, pairs: list[tuple[str, str]]) -> None:
        """Check what Granian leaves to the application.

        Raises:
            ProblemError: 400 or 501, what is wrong with the head.
        """
        check_head(scope.http_version, self.headers, pairs)
        authority = scope.authority
        if authority is not None:
            # The target is a whole URL: its host counts, and not the header.
            self.headers["host"] = authority
        if self.method not in READING:
            _require_ascii(scope, self.headers)

    async def body(self) -> bytes:
        self.owes_body = False
        return await self._app.body_of(self, self._proto, self._body)

    async def discard_body(self) -> None:
        """Read a body that no endpoint has asked for: a client that still writes may miss the answer."""
        if "expect" in self.headers:
            return  # this client waits before it writes, and the answer tells it not to
        with suppress(ProblemError, asyncio.CancelledError):
            await self.body()

    async def until_client_left(self) -> None:
        await self._proto.client_disconnect()


def _require_ascii(scope: Scope, headers: RawHeaders) -> None:
    """Granian drops headers whose values are not ASCII. A command without its key would be another command.

    Raises:
        ProblemError: 400 that names one.
    """
    names = scope.headers.keys()
    if len(names) > len(headers):
        for name in names:
            if name not in headers:
                raise bad_parameter(name.title(), "has characters that are not ASCII")


async def _chunks(proto: HTTPProtocol) -> AsyncIterator[bytes]:
    """The body piece by piece.

    Raises:
        ProblemError: 400, the body broke off, or trailers followed it, which are not supported. In both cases
            Granian gives one empty piece more than the one that ends every body.
    """
    empty = 0
    async for chunk in proto:
        if chunk:
            yield chunk
        else:
            empty += 1
    if empty > 1:
        raise bad_head(BROKEN_OFF)
