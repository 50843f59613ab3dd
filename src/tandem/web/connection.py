"""One connection of a client: HTTP/1.1 as httptools reads it, with bounds for all that may be sent or kept.

uvicorn does this too, at 15 us more a request, and bounds neither the size of a head nor the time that it may
take. Requests of one connection are answered one after the other, in their order (pipelining).
"""

import asyncio
from collections import deque
from http import HTTPStatus
from math import inf
from typing import Protocol, cast

import httptools
import msgspec

from tandem.web.problems import ProblemError
from tandem.web.requests import Headers, RawRequest, Response, StreamResponse
from tandem.web.streaming import send_stream
from tandem.web.totals import HttpTotals

# Who is still writing when we close sees a reset connection and not our 413. So a body that is only somewhat
# too long is read to its end, and thrown away; one beyond this is not read on.
_MAX_DISCARDED_BYTES = 1_048_576
# Requests that came before their predecessors were answered: beyond this, no more is read for a while.
_MAX_AHEAD = 16
_CLOSE = ("Connection", "close")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client may send and how long it may take, in bytes and seconds, and how many there may be.

    Times are looked at once a second.
    """

    head_bytes: int = 32_768
    head_seconds: float = 15.0
    body_bytes: int = 65_536
    body_seconds: float = 30.0
    #: For reading an answer that is too long to be out of our hands at once.
    answer_seconds: float = 60.0
    #: Longer than nginx keeps an idle connection (60 s), so that never do we close one about to be used.
    idle_seconds: float = 75.0
    connections: int = 8_192


class Answers(Protocol):
    """What answers requests, and where that is counted; see `Application`."""

    totals: HttpTotals

    async def answer(self, request: RawRequest) -> Response | StreamResponse:
        """The answer, whatever happens."""


class Shared:
    """What all connections of a server have in common."""

    def __init__(self, app: Answers, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        app.totals.connections = self.connections
        #: Set when the server stops: connections close after their next answer, endless streams end.
        self.stopping = asyncio.Event()
        #: This second, by the loop's clock: near enough for limits, and free of a call for each request.
        self.now = self.loop.time()
        #: The Date header, made anew each second.
        self.date = b""


class Connection(asyncio.Protocol):
    """Reads requests, has each answered, writes the answers."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._idle = shared.limits.idle_seconds
        self._received = 0
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        # What came and is not answered yet: a request, or why there will be none.
        self._ahead: deque[RawRequest | ProblemError] = deque()
        self._writable: asyncio.Future[None] | None = None
        #: When what is being waited for must have come; infinite while the client waits for us.
        self.deadline = shared.now + self._idle
        #: Done when the client has gone, for who sends it a stream.
        self.left: asyncio.Future[None] = shared.loop.create_future()
        self._closing = False
        self._begin_request()

    def _begin_request(self) -> None:
        self._began = self._in_body = self._timed_body = False
        self._whole_by: float | None = None
        self._head_size = self._body_size = 0
        self._url = self._body = b""
        self._headers: dict[bytes, bytes] = {}
        self._refusal: ProblemError | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve it, or refuse when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._shared.connections) >= self._limits.connections:
            self._refuse(ProblemError(503, "Too many connections.", headers=(("Retry-After", "1"),)))
        self._shared.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Read on. The parser calls the `on_...` methods below."""
        if self._closing:
            return
        self._received = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is whole, and is answered as if it had not asked for another protocol.
            self._closing = True
        except httptools.HttpParserError:
            self._refuse(ProblemError(400, "This is not a valid HTTP request."))
        else:
            if self._began:
                self._check_unfinished()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone. What it asked for is done nevertheless."""
        del exc
        self._closing = True
        self._ahead.clear()
        self.left.set_result(None)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._task is None:
            self._shared.connections.discard(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._writable = self._shared.loop.create_future()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin_request()
        self._began = True

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Of several with one name the first counts."""
        self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        """The body follows."""
        self._in_body = True
        length = self._headers.get(b"content-length")
        # What has come is an upper bound, and nearly always enough to know that the head is not too long.
        if self._head_size + self._received > self._limits.head_bytes and self._head_is_too_large():
            self._refuse(self._too_large_head())
        elif length is not None and int(length) > _MAX_DISCARDED_BYTES:
            self._refuse(self._too_large())
        elif b"expect" in self._headers and self._task is None:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body; nearly always there is just one."""
        self._body_size += len(body)
        if self._body_size <= self._limits.body_bytes:
            self._body = self._body + body if self._body else body
        elif self._refusal is None:
            self._refusal = self._too_large()
        if self._body_size > _MAX_DISCARDED_BYTES:
            self._refuse(self._too_large())

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._began = False
        if self._closing:
            return
        if self._refusal is not None:
            self._refuse(self._refusal)
            return
        self._take(
            RawRequest(
                self._parser.get_method().decode("latin-1"),
                self._url,
                self._headers,
                self._body,
                self._parser.should_keep_alive(),
            )
        )

    # What we do with it.

    def close_if_overdue(self) -> None:
        """Called each second: let go of who is idle for too long, or takes too long to send its request."""
        if self._shared.now < self.deadline:
            return
        if self._closing:
            self._let_go()
        elif self._began:
            what = "body" if self._in_body else "head"
            self._refuse(ProblemError(408, f"The {what} of the request did not arrive in time."))
        else:
            self.close()

    def close(self) -> None:
        """Close at once if nothing is in hand, or after the answer that is."""
        self._closing = True
        if self._task is None and self._transport is not None:
            self.deadline = self._shared.now + self._limits.answer_seconds
            self._transport.close()

    def cancel(self) -> None:
        """Give up the answer in hand; the client is told."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()

    @property
    def busy(self) -> bool:
        """Whether an answer is in hand, be it that the client has gone."""
        return self._task is not None

    @property
    def takes_chunks(self) -> bool:
        """Whether the client knows chunks."""
        return bool(self._parser.get_http_version() != "1.0")

    def write(self, data: bytes) -> None:
        """Send it, unless the client has gone."""
        if self._transport is not None and not self.left.done():
            self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the client has read most of what was written."""
        if self._writable is not None:
            await self._writable

    def write_head(self, answer: Response | StreamResponse, headers: bytes, *, last: bool) -> None:
        """Send the head of a stream; `headers` say how long it is."""
        self.write(_head(answer, self._shared.date, headers, last=last))

    def _check_unfinished(self) -> None:
        """After a piece of a request: its head has a limit, and there is a time by which it must be whole."""
        limits = self._limits
        if not self._in_body:
            self._head_size += self._received
            if self._head_size > limits.head_bytes:
                self._refuse(self._too_large_head())
        if self._whole_by is None or self._in_body is not self._timed_body:
            self._timed_body = self._in_body
            seconds = limits.body_seconds if self._in_body else limits.head_seconds
            self._whole_by = self._shared.now + seconds
            if self._task is None:
                self.deadline = self._whole_by

    def _head_is_too_large(self) -> bool:
        headers = sum(len(name) + len(value) for name, value in self._headers.items())
        return len(self._url) + headers > self._limits.head_bytes

    def _too_large_head(self) -> ProblemError:
        return ProblemError(431, f"The head may have at most {self._limits.head_bytes} bytes.")

    def _too_large(self) -> ProblemError:
        return ProblemError(413, f"The body may have at most {self._limits.body_bytes} bytes.")

    def _refuse(self, problem: ProblemError) -> None:
        """Answer with the problem, after what came before it, and close."""
        if not self._closing:
            self._closing = True
            self._take(problem)

    def _take(self, item: RawRequest | ProblemError) -> None:
        if self._task is None:
            self._start(item)
            return
        self._ahead.append(item)
        if len(self._ahead) == _MAX_AHEAD and self._transport is not None:
            self._transport.pause_reading()

    def _start(self, item: RawRequest | ProblemError) -> None:
        self.deadline = inf
        if isinstance(item, ProblemError):
            self._shared.app.totals.refused[item.status] += 1
            self._write(item.response(), "", last=True)
            self.close()
        else:
            self._task = self._shared.loop.create_task(self._respond(item))

    async def _respond(self, request: RawRequest) -> None:
        last = True
        try:
            answer = await self._shared.app.answer(request)
            last = not request.keep_alive or self._shared.stopping.is_set()
            if isinstance(answer, StreamResponse):
                last = not await send_stream(answer, request, self, self._shared.stopping) or last
            else:
                self._write(answer, request.method, last=last)
                if self._writable is not None:
                    await self._until_read()
        finally:
            self._finished(last=last)

    def _write(self, answer: Response, method: str, *, last: bool) -> None:
        length = b"" if answer.status in (204, 304) else b"Content-Length: %d\r\n" % len(answer.body)
        head = _head(answer, self._shared.date, length, last=last)
        self.write(head if method == "HEAD" else head + answer.body)

    async def _until_read(self) -> None:
        """Answer nothing more to who does not read: one answer of each client is all that we keep."""
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                await self.writable()
        except TimeoutError:
            self._let_go()

    def _let_go(self) -> None:
        """Drop what the client will not read. To close would be to wait for it."""
        if self._transport is not None:
            self._transport.abort()

    def _finished(self, *, last: bool) -> None:
        """An answer is out: go on with what came meanwhile, or wait for more."""
        self._task = None
        shared = self._shared
        if self.left.done():
            shared.connections.discard(self)
        elif last:
            self.close()
        elif self._ahead:
            if len(self._ahead) == _MAX_AHEAD and self._transport is not None:
                self._transport.resume_reading()
            self._start(self._ahead.popleft())
        elif self._closing:
            self.close()
        else:
            self.deadline = self._whole_by if self._began and self._whole_by else shared.now + self._idle


_heads: dict[tuple[int, str, bytes], bytes] = {}


def _head(answer: Response | StreamResponse, date: bytes, length: bytes, *, last: bool) -> bytes:
    """Status line and headers, to the empty line."""
    key = (answer.status, answer.media_type, answer.security)
    known = _heads.get(key)
    if known is None:
        reason = HTTPStatus(answer.status).phrase
        known = f"HTTP/1.1 {answer.status} {reason}\r\nContent-Type: {answer.media_type}\r\n".encode()
        known = _heads[key] = known + answer.security
    headers = answer.headers
    if last and _CLOSE not in headers:
        headers += (_CLOSE,)
    return b"".join((known, date, length, _lines(headers), b"\r\n"))


def _lines(headers: Headers) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")
