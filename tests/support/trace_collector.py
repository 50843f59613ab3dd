"""A collector of traces: takes what is sent by OTLP over HTTP, and keeps it to be looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from waiting import until

PLACE = "/v1/traces"

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
#: The headers of a request whose caller follows it.
FOLLOWED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
REQUEST = "POST /api/v1/user-command"
STEPS = ["CreateUserCommand", "CreateUserQueryCommand", "SynchronizeUserCommand"]


@dataclass
class Seen:
    """One span, as the collector got it."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    instance: str
    #: Trace and span of each link.
    links: list[tuple[str, str]]
    attributes: dict[str, object]
    start: int
    end: int

    @property
    def place(self) -> tuple[str, str]:
        """What a link to it says."""
        return self.trace_id, self.span_id


@dataclass
class Collector:
    """Where spans come in."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)

    def of_trace(self, trace_id: str) -> list[Seen]:
        """The spans of one trace, by their beginning."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.start)

    def names(self, trace_id: str) -> list[str]:
        """What they are called."""
        return [span.name for span in self.of_trace(trace_id)]

    async def until_seen(self, names: list[str]) -> None:
        """Wait until the trace of those who are `FOLLOWED` has just these spans."""

        async def seen() -> bool:
            return sorted(self.names(TRACE)) == sorted(names)

        await until(seen, f"spans {names}")

    async def take(self, request: web.Request) -> web.Response:
        """The endpoint."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            (instance,) = [
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.instance.id"
            ]
            self.spans += [_seen(span, instance) for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


def _seen(span, instance: str) -> Seen:
    return Seen(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        instance,
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        {item.key: item.value.string_value or item.value.int_value for item in span.attributes},
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )


@asynccontextmanager
async def run_collector() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post(PLACE, collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0]
    collector.url = f"http://127.0.0.1:{port}{PLACE}"
    try:
        yield collector
    finally:
        await runner.cleanup()
