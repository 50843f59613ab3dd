"""From one request to one answer. A framework would cost 2 to 6 times as much."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from tandem.http.authentication import Authenticator
from tandem.http.counters import HttpCounters, RouteCounters
from tandem.http.decoding import RequestDecoder
from tandem.http.problems import ProblemError
from tandem.http.racing import unless
from tandem.http.requests import READING, RawHeaders, RawRequest, Response, StreamResponse
from tandem.http.routes import NoSuchPathError, Route, Router

logger = logging.getLogger(__name__)

#: Stands for the answer to a client that has left. Only counters and logs see it. The status is nginx's.
CLIENT_LEFT = Response(499)

_SEED = re.compile(rb"(?:^|&)seed=([^&]{1,400})")
_TRACE_ID = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class _Handler:
    """One route, made ready to be called."""

    def __init__(self, route: Route, counters: RouteCounters) -> None:
        self.endpoint = route.endpoint
        self.scope = route.scope
        self.media_types = route.body_media_types
        self.cancel_on_disconnect = route.cancel_on_disconnect
        self.decoder = RequestDecoder(route)
        self.counters = counters


class Application:
    """Answers requests. Every error becomes `application/problem+json`; an unforeseen one is logged as well.

    Args:
        routes: what is served.
        translate: an exception (and its subclasses) to the problem that the client gets.
        authenticator: decides which requests are let in; None lets all in.
        counters: where answers are counted.
        lost: what people get who follow a wrong address; programs get a problem.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        translate: Mapping[type[Exception], Callable[[Any], ProblemError]] | None = None,
        authenticator: Authenticator | None = None,
        counters: HttpCounters | None = None,
        lost: Response | None = None,
    ) -> None:
        self.counters = counters or HttpCounters()
        self._router = Router(
            (route.method, route.path, _Handler(route, self.counters.of(route))) for route in routes
        )
        self._translate = dict(translate or {})
        self._authenticator = authenticator
        self._lost = lost

    async def answer(self, request: RawRequest) -> Response | StreamResponse:
        """The answer, whatever happens."""
        counters = self.counters.unrouted
        try:
            handler, parameters = self._router.find(request.method, request.path)
            counters = handler.counters
            answer = await self._answer(request, handler, parameters)
            if isinstance(answer, StreamResponse) and not answer.endless and request.method != "HEAD":
                # As long as nothing has been sent, an error can still become a problem.
                answer = msgspec.structs.replace(answer, first=await anext(answer.chunks, b""))
        except asyncio.CancelledError:
            answer = ProblemError(503, "This instance was stopped while it worked on the request.").response()
        except NoSuchPathError as error:
            answer = self._lost if self._lost and _is_for_people(request) else error.response()
        except Exception as error:
            answer = self._problem(error, request).response()
        seconds = time.perf_counter() - request.since
        counters.count(answer.status, seconds)
        if logger.isEnabledFor(logging.DEBUG):
            said = (request.method, _path_of(request), answer.status, seconds * 1000)
            logger.debug("%s %s %d in %.1f ms", *said, extra=_correlation(request))
        return answer

    def route_of(self, request: RawRequest) -> str:
        """The template of the route that this request goes to, as the counters call it."""
        try:
            handler, _ = self._router.find(request.method, request.path)
        except ProblemError:
            return self.counters.unrouted.path
        return handler.counters.path

    async def _answer(
        self, request: RawRequest, handler: _Handler, parameters: dict[str, bytes]
    ) -> Response | StreamResponse:
        if self._authenticator is not None:
            self._authenticator.authorize(request, handler.scope)
        decoder = handler.decoder
        body = b""
        if decoder.takes_body:
            _check_media_type(request.headers, handler.media_types)
            body = await request.body()
        asked = handler.endpoint(decoder.decode(parameters, request.query, body, request.headers))
        if not handler.cancel_on_disconnect:
            return await asked
        answered = await unless(asked, request.until_client_left())
        return answered.result() if answered else CLIENT_LEFT

    def _problem(self, error: Exception, request: RawRequest) -> ProblemError:
        if isinstance(error, ProblemError):
            return error
        for kind in type(error).__mro__:
            if kind in self._translate:
                return self._translate[kind](error)
        said = (request.method, _path_of(request))
        logger.error("%s %s failed", *said, exc_info=error, extra=_correlation(request))
        return ProblemError(500, "The server failed to answer. Its log says why.")


def _is_for_people(request: RawRequest) -> bool:
    """Whether somebody has this address in a browser, and does not look for data."""
    wanted = request.headers.get("accept", "")
    return request.method in READING and "text/html" in wanted and not request.path.startswith(b"/api/")


def _path_of(request: RawRequest) -> str:
    """The path, for logs. The query is not logged: it may hold a person's address."""
    return request.path.decode("latin-1")


def _correlation(request: RawRequest) -> dict[str, str]:
    """The run and the trace that a request says it belongs to (W3C Trace Context)."""
    found = {}
    if seed := _SEED.search(request.query):
        found["seed"] = unquote_plus(seed[1].decode("latin-1"))
    if trace := _TRACE_ID.match(request.headers.get("traceparent", "")):
        found["trace_id"] = trace[1]
    return found


def _check_media_type(headers: RawHeaders, accepted: Sequence[str]) -> None:
    if "content-encoding" in headers:
        raise ProblemError(415, "Send the body without a Content-Encoding.")
    media_type = headers.get("content-type", "")
    if media_type not in accepted and media_type.partition(";")[0].strip().lower() not in accepted:
        raise ProblemError(415, f"Send the body as Content-Type: {' or '.join(accepted)}.")
