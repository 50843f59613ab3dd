"""Routes, and finding the one that a request asks for."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from tandem.http.problems import ProblemError
from tandem.http.requests import JSON, NoArguments, Request, Response, StreamResponse

Endpoint = Callable[[Request[Any, Any, Any]], Coroutine[Any, Any, Response | StreamResponse]]

T = TypeVar("T")


class NoSuchPathError(ProblemError):
    """404: no route has this path."""

    def __init__(self) -> None:
        super().__init__(404, "Nothing is served at this path. /api lists what is.")


class Scope(StrEnum):
    """What a client may be allowed to do, where access tokens are required."""

    #: Create users.
    COMMAND = "command"
    #: Read all users: the service knows no tenants.
    QUERY = "query"
    #: Follow the feed of all events: all users' data, and that of all aggregates.
    FEED = "feed"
    #: See how the system and its runs are doing, and repair what went wrong.
    OPERATOR = "operator"


@dataclass(frozen=True)
class Route:
    """One method on one path: what decodes the request, what answers it, and what the documentation says.

    `path_type`, `query_type` and `body_type` are msgspec structs: they validate, and the OpenAPI document is
    made of them. Integers in them must have bounds, because JSON's have none and every database's have.
    """

    method: str
    #: Like `/api/v1/user-command/{id}`; each `{name}` is one segment and a field of `path_type`.
    path: str
    endpoint: Endpoint
    summary: str
    path_type: type = NoArguments
    query_type: type = NoArguments
    body_type: type | None = None
    #: The media types that the body may have.
    body_media_types: tuple[str, ...] = (JSON,)
    #: Status to the type of the body, for every response that is not a problem. With None there is no body,
    #: and with a tuple one of these types.
    responses: Mapping[int, Any] = field(default_factory=dict)
    #: Statuses answered as problems besides those that follow from the types (400, 413, 415) and 500.
    problems: tuple[int, ...] = ()
    tag: str = ""
    description: str = ""
    #: The media type of `responses`.
    media_type: str = JSON
    #: Status to the headers of its answer, each with a sentence: `{201: {"Location": "Where the user is."}}`.
    headers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    #: Headers that a request may have, each with a sentence; the endpoint reads them itself.
    request_headers: Mapping[str, str] = field(default_factory=dict)
    #: What a client must be allowed to do. None means public. The default is OPERATOR: a route whose author
    #: forgot is closed.
    scope: Scope | None = Scope.OPERATOR
    #: Whether the OpenAPI document has it: pages and their files are not part of the interface.
    documented: bool = True
    #: Whether the endpoint is cancelled when its client leaves before the answer: for costly reads, never for
    #: commands.
    cancel_on_disconnect: bool = False


@dataclass(frozen=True)
class _Resource(Generic[T]):
    """One path, and where each method on it leads."""

    segments: tuple[bytes, ...]
    methods: dict[str, T]

    def parameters(self, segments: list[bytes]) -> dict[str, bytes] | None:
        """The parameters, still percent-encoded, when `segments` fit this path; else None."""
        if len(segments) != len(self.segments):
            return None
        found = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith(b"{") and segment:
                found[pattern[1:-1].decode()] = segment
            elif pattern != segment:
                return None
        return found


class Router(Generic[T]):
    """Finds what a method and a path lead to. Fixed paths are looked up first, in one step."""

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self._fixed: dict[bytes, _Resource[T]] = {}
        self._patterns: dict[bytes, _Resource[T]] = {}
        for method, path, target in entries:
            table = self._patterns if "{" in path else self._fixed
            raw = path.encode()
            resource = table.setdefault(raw, _Resource(tuple(raw.split(b"/")), {}))
            if method in resource.methods:
                msg = f"{method} {path} has two routes"
                raise ValueError(msg)
            resource.methods[method] = target
        for resource in (*self._fixed.values(), *self._patterns.values()):
            if "GET" in resource.methods:
                resource.methods.setdefault("HEAD", resource.methods["GET"])

    def find(self, method: str, path: bytes) -> tuple[T, dict[str, bytes]]:
        """What that method leads to on this path, and its path parameters, all still percent-encoded.

        Raises:
            NoSuchPathError: nothing has this path.
            ProblemError: 405 (with `Allow`), it has other methods.
        """
        parameters: dict[str, bytes] = {}
        resource = self._fixed.get(path) or self._fixed.get(unquote_to_bytes(path))
        if resource is None:
            resource, parameters = self._match(path)
        target = resource.methods.get(method)
        if target is None:
            allowed = ", ".join(sorted(resource.methods))
            raise ProblemError(405, f"This path answers {allowed}.", headers=(("Allow", allowed),))
        return target, parameters

    def _match(self, path: bytes) -> tuple[_Resource[T], dict[str, bytes]]:
        segments = path.split(b"/")
        for resource in self._patterns.values():
            parameters = resource.parameters(segments)
            if parameters is not None:
                return resource, parameters
        raise NoSuchPathError
