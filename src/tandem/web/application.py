"""The ASGI callable: from one request to one answer. A framework would cost 2 to 6 times as much."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any

from tandem.web.decoding import RequestDecoder
from tandem.web.problems import ProblemError
from tandem.web.requests import Response, StreamResponse
from tandem.web.routes import Route, Router
from tandem.web.streaming import send_stream

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)

_CLOSE = ("Connection", "close")

# Who is still writing when we close sees a reset connection and not our 413. So a body that is only somewhat
# too long is read to its end, and thrown away; one beyond this is not read on.
_MAX_DISCARDED_BYTES = 1_048_576


class _ClientLeftError(Exception):
    """The client hung up before it had sent its whole request: there is nobody to answer."""


class _Handler:
    """One route, made ready to be called."""

    def __init__(self, route: Route) -> None:
        self.endpoint = route.endpoint
        self.decoder = RequestDecoder(route)


class Application:
    """Serves routes. Every error becomes `application/problem+json`; an unforeseen one is logged as well.

    Args:
        routes: what is served.
        max_body_bytes: a longer body is answered 413, and never held.
        body_timeout: a body whose rest has not arrived by then is answered 408.
        translate: exceptions (and their subclasses) that mean something to the client, and what they mean.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        max_body_bytes: int = 65_536,
        body_timeout: timedelta = timedelta(seconds=30),
        translate: Mapping[type[Exception], Callable[[Any], ProblemError]] | None = None,
    ) -> None:
        self._router = Router((route.method, route.path, _Handler(route)) for route in routes)
        self._max_body_bytes = max_body_bytes
        self._body_timeout_seconds = body_timeout.total_seconds()
        self._translate = dict(translate or {})
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Say `Connection: close` with every answer from now on, and end the streams that have no end."""
        self._stopping.set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3, HTTP only)."""
        try:
            answer = await self._answer(scope, receive)
            if isinstance(answer, StreamResponse):
                await send_stream(answer, scope["method"], receive, send, self._stopping)
                return
        except _ClientLeftError:
            return
        except asyncio.CancelledError:
            answer = ProblemError(503, "This instance was stopped while it worked on the request.").response()
        except Exception as error:
            answer = self._problem(error, scope).response()
        await self._send(answer, send)

    async def _answer(self, scope: Message, receive: Receive) -> Response | StreamResponse:
        handler, path = self._router.find(scope["method"], scope["path"], scope["raw_path"])
        headers = scope["headers"]
        body = b""
        if handler.decoder.takes_body:
            self._check_headers(headers)
            body = await self._read_body(receive)
        return await handler.endpoint(handler.decoder.decode(path, scope["query_string"], body, headers))

    def _check_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        media_type = b""
        for name, value in headers:
            if name == b"content-type":
                media_type = value
            elif name == b"content-length" and int(value) > _MAX_DISCARDED_BYTES:
                raise self._too_large()
            elif name == b"content-encoding":
                raise ProblemError(415, "Send the body without a Content-Encoding.")
        if media_type != b"application/json" and not _is_json(media_type):
            raise ProblemError(415, "Send the body as Content-Type: application/json.")

    async def _read_body(self, receive: Receive) -> bytes:
        body, more = _piece(await receive())
        # Nearly always the whole body comes in one piece; a timeout would cost 4 us, a tenth of the request.
        if more:
            body = await self._read_rest(body, receive)
        if len(body) > self._max_body_bytes:
            raise self._too_large()
        return body

    async def _read_rest(self, body: bytes, receive: Receive) -> bytes:
        pieces = bytearray(body)
        size = len(body)
        more = True
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                while more and size <= _MAX_DISCARDED_BYTES:
                    piece, more = _piece(await receive())
                    size += len(piece)
                    if len(pieces) <= self._max_body_bytes:
                        pieces += piece
        except TimeoutError:
            raise ProblemError(408, "The body did not arrive in time.", headers=(_CLOSE,)) from None
        return bytes(pieces)

    def _too_large(self) -> ProblemError:
        detail = f"The body may have at most {self._max_body_bytes} bytes."
        return ProblemError(413, detail, headers=(_CLOSE,))

    def _problem(self, error: Exception, scope: Message) -> ProblemError:
        if isinstance(error, ProblemError):
            return error
        for kind in type(error).__mro__:
            if kind in self._translate:
                return self._translate[kind](error)
        logger.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
        return ProblemError(500, "The server failed to answer. Its log says why.")

    async def _send(self, answer: Response, send: Send) -> None:
        headers = [(b"content-type", answer.media_type.encode())]
        if answer.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(answer.body)))
        if answer.headers:
            headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if self._stopping.is_set():
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _is_json(media_type: bytes) -> bool:
    return media_type.partition(b";")[0].strip().lower() == b"application/json"


def _piece(message: Message) -> tuple[bytes, bool]:
    """A piece of the body, and whether more follow."""
    if message["type"] == "http.disconnect":
        raise _ClientLeftError
    return message.get("body", b""), message.get("more_body", False)
