"""What an endpoint is given and what it gives back."""

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import msgspec

from tandem.web import security_headers

P = TypeVar("P")
Q = TypeVar("Q")
B = TypeVar("B")

Headers = tuple[tuple[str, str], ...]
#: Names in small letters; of several with one name the first.
RawHeaders = dict[bytes, bytes]

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_encode_json = msgspec.json.Encoder().encode


class NoArguments(msgspec.Struct, frozen=True):
    """The path or the query of a route that takes nothing there."""


class RawRequest(msgspec.Struct, frozen=True, gc=False):
    """One request as it came."""

    method: str
    #: What stands after the method: a path and a query, percent-encoded.
    target: bytes
    headers: RawHeaders
    body: bytes
    keep_alive: bool


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
        value = self.headers.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")


class Response(msgspec.Struct, frozen=True, gc=False):
    """A whole answer. `headers` come on top of Content-Type, Content-Length and the `security` headers."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: Headers = ()
    security: bytes = security_headers.DATA


class StreamResponse(msgspec.Struct, frozen=True):
    """An answer sent chunk by chunk, without ever holding it whole.

    The iterator is closed when the client leaves. An `endless` stream (server-sent events) is also ended
    when the server stops; any other is then finished first.
    """

    chunks: AsyncIterator[bytes]
    media_type: str = JSON
    status: int = 200
    headers: Headers = ()
    endless: bool = False
    security: bytes = security_headers.DATA
    #: What comes before the chunks; the application looks for the first one before it sends the head.
    first: bytes = b""


def json_response(value: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Encode `value` with msgspec (structs, dicts, datetimes ...) as a JSON answer."""
    return Response(status, _encode_json(value), JSON, headers)
