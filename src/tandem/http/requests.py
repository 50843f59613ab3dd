"""What an endpoint is given and what it gives back."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from tandem.http import security_headers

Headers: TypeAlias = security_headers.Headers

P = TypeVar("P")
Q = TypeVar("Q")
B = TypeVar("B")

#: The methods that change nothing.
READING = frozenset(("GET", "HEAD"))

#: The statuses of answers that have no body, and no media type.
WITHOUT_BODY = frozenset((204, 304))

#: Names in lower case. Of several headers with one name, the first counts.
RawHeaders = dict[str, str]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
EVENT_STREAM = "text/event-stream"
#: For streams: nginx must not buffer events.
AT_ONCE = (("X-Accel-Buffering", "no"),)
#: Of a stream of events: a client whose connection ends comes back after a second.
OPENING = b"retry: 1000\n\n"

_encode_json = msgspec.json.Encoder().encode


class NoArguments(msgspec.Struct, frozen=True):
    """The path or the query of a route that takes nothing there."""


class RawRequest:
    """One request as it came. The adapter of each server has a subclass, which can read the body.

    Args:
        method: as it was sent.
        path: percent-encoded.
        query: percent-encoded, without the question mark.
        headers: shared with nothing else, so that they may be changed.
    """

    __slots__ = ("headers", "method", "path", "query", "since")

    def __init__(self, method: str, path: bytes, query: bytes, headers: RawHeaders) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        #: When its head was there, by the performance counter.
        self.since = time.perf_counter()

    async def body(self) -> bytes:
        """The whole body. To be called once.

        Raises:
            ProblemError: it is too long (413), too slow (408), or breaks off (400).
        """
        return b""

    async def until_client_left(self) -> None:
        """Return when the client has left, which may be never."""
        await asyncio.get_running_loop().create_future()


class Request(msgspec.Struct, Generic[P, Q, B], frozen=True, gc=False):
    """One request, decoded: `path`, `query` and `body` are instances of the types that the route names.

    A route without a body type gets `body=None` and `raw_body=b""`.
    """

    path: P
    query: Q
    body: B
    raw_body: bytes = b""
    headers: RawHeaders = {}

    def header(self, name: str) -> str | None:
        """The header of that name (in any case), or None."""
        return self.headers.get(name.lower())


class Response(msgspec.Struct, frozen=True, gc=False):
    """A whole answer. `headers` come on top of Content-Type, Content-Length and the `security` headers."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: Headers = ()
    security: Headers = security_headers.DATA


class StreamResponse(msgspec.Struct, frozen=True):
    """An answer sent chunk by chunk, without ever holding it whole.

    The iterator is closed when the client leaves. When the server stops, an `endless` stream (server-sent
    events) is ended, and any other is finished.
    """

    chunks: AsyncIterator[bytes]
    media_type: str = JSON
    status: int = 200
    headers: Headers = ()
    endless: bool = False
    security: Headers = security_headers.DATA
    #: Sent before `chunks`. The application moves their first one here before it sends the head.
    first: bytes = b""

    async def close(self) -> None:
        """Close the iterator, wherever it is, if it can be closed."""
        close = getattr(self.chunks, "aclose", None)
        if close is not None:
            await close()


def json_response(value: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Encode `value` with msgspec (structs, dicts, datetimes ...) as a JSON answer."""
    return Response(status, _encode_json(value), JSON, headers)
