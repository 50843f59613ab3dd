"""The application as RSGI, which Granian speaks: from its scope to `RawRequest`, and back from answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from tandem.http.application import CLIENT_LEFT
from tandem.http.bodies import BROKEN_OFF, length_of, read_within, too_slow
from tandem.http.heads import CLOSE, bad_head, check_head, headers_of
from tandem.http.limits import Answers, Limits
from tandem.http.problems import ProblemError, bad_parameter
from tandem.http.requests import READING, WITHOUT_BODY, RawHeaders, RawRequest, Response, StreamResponse
from tandem.http.rsgi_streams import StreamSender


class RsgiApplication:
    """Answers what Granian has read. It never raises.

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
        #: Set when the server stops: connections close after their next answer, endless streams end.
        self.stopping = asyncio.Event()
        #: The requests in flight.
        self.tasks: set[asyncio.Task[Any]] = set()
        #: The requests that wait for their body, and since when. A timer for each would cost more than all
        #: else.
        self._receiving: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, proto: HTTPProtocol) -> None:
        """One request."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - narrows the type: Granian makes one for each request
        self.tasks.add(task)
        try:
            request = _Request(scope, proto, self, task)
            answer = request.refusal or await self._app.answer(request)
            if request.owes_body and request.refusal is None:
                await request.discard_body()
            headers = [*answer.security, *answer.headers]
            if answer.status not in WITHOUT_BODY:
                headers.insert(0, ("Content-Type", answer.media_type))
            if self.stopping.is_set() or request.is_last:
                headers.append(CLOSE)
            if isinstance(answer, StreamResponse):
                sender = StreamSender(proto, scope.client, self._port, self.stopping)
                await sender.send(answer, headers, head_only=request.method == "HEAD")
            elif answer is not CLIENT_LEFT:
                self._send(answer, headers, proto)
        finally:
            self.tasks.discard(task)

    def _send(self, answer: Response, headers: list[tuple[str, str]], proto: HTTPProtocol) -> None:
        if answer.body:
            proto.response_bytes(answer.status, headers, answer.body)
        else:
            proto.response_empty(answer.status, headers)

    async def body_of(self, request: "_Request", proto: HTTPProtocol) -> bytes:
        """The whole body of this request.

        Raises:
            ProblemError: see `RawRequest.body`.
        """
        length = length_of(request.headers)
        if length == 0:
            return b""
        task = request.task
        self._receiving[task] = self._loop.time()
        try:
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
        latest = self._loop.time() - self.limits.body_seconds
        for task in [task for task, since in self._receiving.items() if since < latest]:
            self._overdue.add(task)
            task.cancel()


class _Request(RawRequest):
    """A request whose head Granian has read."""

    __slots__ = ("_app", "_proto", "owes_body", "refusal", "task")

    def __init__(
        self, scope: Scope, proto: HTTPProtocol, app: RsgiApplication, task: asyncio.Task[Any]
    ) -> None:
        pairs = scope.headers.items()
        # Granian has percent-decoded the path, once.
        path = scope.path.replace("%", "%25")
        headers = headers_of(pairs)
        super().__init__(scope.method, path.encode(), scope.query_string.encode(), headers)
        self.task = task
        self._proto = proto
        self._app = app
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
        return await self._app.body_of(self, self._proto)

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
