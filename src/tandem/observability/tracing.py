"""Traces, by OpenTelemetry: one from each sampled request to its user's SYNCRONIZED.

A sampled request gets a span. Each later step of its user gets a child of that span, in whichever process
that happens: the span's `traceparent` travels with the command, and in the event row. A batch carries many
users, so it has a trace of its own, and links lead from it to its users and back.

This is loaded only where `TRACES_URL` is set. A request that is not sampled costs a look for a header and a
random number.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tandem.config import Settings
from tandem.http.application import Application
from tandem.http.requests import RawHeaders, RawRequest, Response, StreamResponse
from tandem.kernel import Coalescer

logger = logging.getLogger(__name__)

# Spans that may wait for the collector. Further ones are dropped, and the exporter logs that.
_MOST_WAITING = 8_192
_MOST_EXPORTED_AT_ONCE = 512
_SECONDS_BETWEEN_EXPORTS = 1
_EXPORT_PATIENCE_SECONDS = 5
_STOP_PATIENCE_SECONDS = 10

# What a batch of each command does, by OpenTelemetry's conventions for databases: system, operation, and the
# table or collection. A statement that touches several tables is known by the one that decides.
_OPERATIONS = {
    "CreateUserCommand": ("postgresql", "BATCH INSERT", "prm_user"),
    "CreateUserQueryCommand": ("mongodb", "BATCH insert", "users"),
    "UpdateUserCommand": ("postgresql", "BATCH UPDATE", "prm_user"),
    "DeleteUserCommand": ("postgresql", "BATCH UPDATE", "prm_user"),
    "ChangeUserQueryCommand": ("mongodb", "BATCH update", "users"),
    "SynchronizeUserCommand": ("postgresql", "BATCH UPDATE", "prm_user"),
    "DeadLetterUserCommand": ("postgresql", "BATCH DELETE", "prm_user_pending"),
}

_propagator = TraceContextTextMapPropagator()


@asynccontextmanager
async def open_tracing(settings: Settings) -> AsyncIterator["Tracing"]:
    """Send spans to `settings.traces_url`, in a thread of its own. At the end, send those that are left."""
    attributes = {
        "service.name": "tandem",
        "service.version": metadata.version("tandem-cqrs"),
        "service.instance.id": settings.app_id,
    }
    # A request is sampled, or not, before its span is made; see `Tracing.parent_of`.
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.create(attributes),
        span_limits=SpanLimits(max_links=settings.max_batch),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(settings.traces_url, timeout=_EXPORT_PATIENCE_SECONDS)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=_MOST_WAITING,
            max_export_batch_size=_MOST_EXPORTED_AT_ONCE,
            schedule_delay_millis=_SECONDS_BETWEEN_EXPORTS * 1000,
        )
    )
    try:
        yield Tracing(provider, settings)
    finally:
        try:
            async with asyncio.timeout(_STOP_PATIENCE_SECONDS):
                await asyncio.to_thread(provider.shutdown)
        except TimeoutError:
            logger.warning("The collector of traces does not answer; the last spans are lost.")


class Tracing:
    """Makes spans of requests and of batches.

    Args:
        provider: takes the spans.
        settings: name the databases, and the share of requests that is sampled.
    """

    def __init__(self, provider: TracerProvider, settings: Settings) -> None:
        self._tracer = provider.get_tracer("tandem")
        self._ratio = settings.traces_ratio
        self._operations = dict(_OPERATIONS)
        self._servers = {
            "postgresql": _server_of(settings.postgres_url),
            "mongodb": _server_of(settings.mongodb_url),
        }

    def trace(
        self,
        app: Application,
        coalescers: Iterable[Coalescer[Any, Any]],
        operations: Mapping[str, tuple[str, str, str]],
    ) -> "TracedAnswers":
        """Make spans of what this application answers, and of the batches of these coalescers.

        `operations` says of further ones, by their names, what `_OPERATIONS` says.
        """
        self._operations |= operations
        for coalescer in coalescers:
            coalescer.observers.append(self.batch_done)
        return TracedAnswers(app, self)

    def parent_of(self, headers: RawHeaders) -> Context | None:
        """The parent of a request's span, or None where the request is not sampled.

        A `traceparent` says whether to sample its request. Of those without one, a random share is sampled.
        """
        at_random = random.random() < self._ratio  # noqa: S311 - guards nothing
        if "traceparent" not in headers:
            return Context() if at_random else None
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        parent = _propagator.extract(carrier, Context())
        caller = get_current_span(parent).get_span_context()
        sampled = caller.trace_flags.sampled if caller.is_valid else at_random
        return parent if sampled else None

    def begin(self, parent: Context, method: str, route: str) -> Span:
        """The span of a request."""
        attributes = {"http.request.method": method, "http.route": route}
        return self._tracer.start_span(f"{method} {route}", parent, SpanKind.SERVER, attributes)

    def batch_done(self, name: str, items: Sequence[Any], seconds: float) -> None:
        """Make a span of a batch that took so long and has just ended, and one of each sampled user in it."""
        try:
            sampled = [item for item in items if item.traceparent]
            if sampled:
                self._make_batch_spans(name, len(items), sampled, seconds)
        except Exception:
            logger.exception("A batch was not traced")

    def _make_batch_spans(self, name: str, size: int, sampled: Sequence[Any], seconds: float) -> None:
        end = time.time_ns()
        start = end - int(seconds * 1e9)
        database = self._database_of(name)
        parents = [_propagator.extract({"traceparent": item.traceparent}, Context()) for item in sampled]
        links = [Link(get_current_span(parent).get_span_context()) for parent in parents]
        attributes = database | {"db.operation.batch.size": size}
        batch = self._tracer.start_span(f"{name} batch", Context(), SpanKind.CLIENT, attributes, links, start)
        batch.end(end)
        to_batch = [Link(batch.get_span_context())]
        for parent in parents:
            self._tracer.start_span(name, parent, SpanKind.INTERNAL, database, to_batch, start).end(end)

    def _database_of(self, name: str) -> dict[str, str | int]:
        """What the batches of this command do, and where."""
        if name not in self._operations:
            return {"db.system.name": "other"}
        system, operation, collection = self._operations[name]
        return {
            "db.system.name": system,
            "db.operation.name": operation,
            "db.collection.name": collection,
        } | self._servers[system]


def _server_of(url: str) -> dict[str, str | int]:
    """The first server that a URL names; empty where it names none, as with a socket."""
    place = urlsplit("//" + urlsplit(url).netloc.rpartition("@")[2].split(",")[0])
    server: dict[str, str | int] = {}
    if place.hostname:
        server["server.address"] = place.hostname
    if place.port:
        server["server.port"] = place.port
    return server


class TracedAnswers:
    """Answers as the application does, and makes spans of sampled requests."""

    def __init__(self, app: Application, tracing: Tracing) -> None:
        self.counters = app.counters
        self._app = app
        self._tracing = tracing

    async def answer(self, request: RawRequest) -> Response | StreamResponse:
        """The application's answer. Whatever is done for it belongs to the request's span."""
        parent = self._tracing.parent_of(request.headers)
        if parent is None:
            return await self._app.answer(request)
        span = self._tracing.begin(parent, request.method, self._app.route_of(request))
        _propagator.inject(request.headers, set_span_in_context(span, Context()))
        try:
            answer = await self._app.answer(request)
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= 500:
                span.set_status(StatusCode.ERROR)
            return answer
        finally:
            span.end()
