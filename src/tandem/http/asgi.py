"""The application as ASGI 3, for any server that speaks it. How clients are bounded is up to that server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from tandem.http.application import CLIENT_LEFT
from tandem.http.bodies import BROKEN_OFF, length_of, read_within, too_slow
from tandem.http.heads import CLOSE, bad_head, check_head, headers_of
from tandem.http.limits import Answers, Limits
from tandem.http.problems import ProblemError
from tandem.http.racing import unless
from tandem.http.requests import WITHOUT_BODY, Headers, RawRequest, Response, StreamResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApplication:
    """Answers HTTP requests. Lifespans are handled by `tandem.asgi`; there are no WebSockets."""

    def __init__(self, app: Answers, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._app = app
        #: Set when endless streams are to end.
        self.stopping = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        request = _Request(scope, pairs, receive, self.limits)
        try:
            check_head(scope["http_version"], request.headers, pairs)
        except ProblemError as problem:
            self._app.counters.refused[problem.status] += 1
            answer: Response | StreamResponse = problem.response()
        else:
            answer = await self._app.answer(request)
        if isinstance(answer, StreamResponse):
            await self._send_stream(answer, request, send)
        elif answer is not CLIENT_LEFT:
            length = () if answer.status in WITHOUT_BODY else (("Content-Length", str(len(answer.body))),)
            await send(_start(answer, (*length, *(() if request.keeps_alive else (CLOSE,)))))
            await send(
                {"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body}
            )

    async def _send_stream(self, answer: StreamResponse, request: "_Request", send: Send) -> None:
        """Send it. An error half way is raised to the server, which logs it and cuts the connection."""
        try:
            await send(_start(answer))
            if request.method != "HEAD":
                ends = [request.until_client_left(), *([self.stopping.wait()] if answer.endless else ())]
                if sent := await unless(_send_all(answer, send), *ends):
                    sent.result()
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.close()


class _Request(RawRequest):
    """A request whose head a server has read."""

    __slots__ = ("_limits", "_receive", "keeps_alive")

    def __init__(
        self, scope: Message, pairs: list[tuple[str, str]], receive: Receive, limits: Limits
    ) -> None:
        path = scope.get("raw_path") or scope["path"].replace("%", "%25").encode()
        super().__init__(scope["method"], path, scope["query_string"], headers_of(pairs))
        self._receive = receive
        self._limits = limits
        #: Not after a body in chunks: `tandem.http.rsgi` says why.
        self.keeps_alive = "transfer-encoding" not in self.headers

    async def body(self) -> bytes:
        length = length_of(self.headers)
        if length == 0:
            return b""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await read_within(self._chunks(), length, self._limits)
        except TimeoutError:
            raise too_slow() from None

    async def _chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise bad_head(BROKEN_OFF)
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def until_client_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _send_all(answer: StreamResponse, send: Send) -> None:
    if answer.first:
        await send({"type": "http.response.body", "body": answer.first, "more_body": True})
    async for chunk in answer.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _start(answer: Response | StreamResponse, more: Headers = ()) -> Message:
    media_type = () if answer.status in WITHOUT_BODY else (("Content-Type", answer.media_type),)
    headers = (*media_type, *answer.security, *answer.headers, *more)
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": answer.status, "headers": lines}
