"""The metrics of an instance, in Prometheus' text format.

The parts of an instance keep plain counters. These become metrics only when somebody asks, so that the flow
pays for none of it. Names follow Prometheus' conventions; `docs/observability.md` lists all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from math import inf
from operator import attrgetter
from typing import Any

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tandem.delivery.flow_state import FlowState, FlowStates
from tandem.delivery.lease import Lease
from tandem.delivery.recovery import Recovery
from tandem.histogram import Histogram
from tandem.http.counters import HttpCounters
from tandem.http.requests import Request, Response
from tandem.http.routes import Route
from tandem.kernel import Coalescer
from tandem.postgres.database import Database
from tandem.user_command.counters import StageCounters

# Label values to a value or a histogram; where a metric has no labels, that alone.
Series = Mapping[Any, float | Histogram] | float | Histogram


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The parts of an instance that its metrics are read from."""

    app_id: str
    http: HttpCounters
    committed: StageCounters
    #: How many users' documents MongoDB has acknowledged.
    projected: Callable[[], int]
    #: Gathers the users that become dead letters.
    set_aside: Coalescer[Any, Any]
    #: All of the instance, `set_aside` among them.
    coalescers: Sequence[Coalescer[Any, Any]]
    recovery: Recovery[Any]
    lease: Lease
    database: Database
    is_ready: Callable[[], bool]
    loop_delays: Histogram
    #: What all instances together have left to do.
    flow_states: FlowStates
    mongodb_answers: Callable[[], Awaitable[bool]]


class MetricsController:
    """Shows this instance's metrics; each instance is scraped on its own port."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        #: What the operating system knows of this process.
        self._process = ProcessCollector(registry=None)

    def routes(self) -> list[Route]:
        """The one route."""
        summary = "Metrics of this instance, for Prometheus"
        text = partial(Route, responses={200: str}, media_type="text/plain", tag="health")
        return [text("GET", "/metrics", self.metrics, summary)]

    async def metrics(self, _: Request[Any, Any, None]) -> Response:
        """The metrics. Without PostgreSQL, those of all instances together are missing."""
        of = self._measured
        state, mongodb_answers = await asyncio.gather(of.flow_states.latest(), of.mongodb_answers())
        families = [*families_of(of, state, mongodb_answers=mongodb_answers), *self._process.collect()]
        return Response(200, generate_latest(_Scrape(families)), CONTENT_TYPE_LATEST)


class _Scrape(Collector):
    """Families as `generate_latest` takes them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def families_of(of: Measured, state: FlowState | None, *, mongodb_answers: bool) -> Iterator[Metric]:
    """All of an instance's own. `state` is None while PostgreSQL does not answer."""
    yield from _requests(of.http)
    yield from _users(of)
    yield from _batches(of.coalescers)
    answers = {"postgresql": state is not None, "mongodb": mongodb_answers}
    yield _gauge("tandem_database_answers", "Whether a database answered just now.", answers, "database")
    if state is not None:
        yield from _all_instances(state)
    yield from _instance(of)


def _requests(http: HttpCounters) -> Iterator[Metric]:
    routes = {(route.method, route.path): route for route in http.routes}
    answers = {
        (*key, str(status)): count
        for key, route in routes.items()
        for status, count in route.statuses.items()
    }
    yield _counter("tandem_http_requests", "Requests answered.", answers, "method", "route", "status")
    yield _histogram(
        "tandem_http_request_duration_seconds",
        "From the whole request to its answer; of a stream, to its beginning.",
        {key: route.seconds for key, route in routes.items()},
        "method",
        "route",
    )
    yield _counter(
        "tandem_http_refused_requests",
        "Requests refused before they were read whole: too large, too slow, or against HTTP.",
        {str(status): count for status, count in http.refused.items()},
        "status",
    )
    yield _gauge("tandem_http_connections", "Open connections of clients.", http.count_connections())


def _users(of: Measured) -> Iterator[Metric]:
    stages = {
        "stored": of.committed.created,
        "updated": of.committed.updated,
        "deleted": of.committed.deleted,
        "projected": of.projected(),
        "synchronized": of.committed.synchronized,
        "set_aside": of.set_aside.counters.items,
    }
    yield _counter("tandem_stage_users", "Users that have passed a stage here.", stages, "stage")
    taken_over = "Users synchronized here that another instance had created."
    yield _counter("tandem_taken_over_users", taken_over, of.committed.taken_over)
    yield _counter("tandem_recovered_users", "Pending users taken up again.", of.recovery.claimed)
    lag = "From CREATED to SYNCRONIZED, of users synchronized here."
    yield _histogram("tandem_lag_seconds", lag, of.committed.lag)


def _batches(coalescers: Sequence[Coalescer[Any, Any]]) -> Iterator[Metric]:
    for family, name, text, attribute in _OF_COALESCERS:
        read = attrgetter(attribute)
        yield family(name, text, {each.name: read(each) for each in coalescers}, "coalescer")


def _all_instances(state: FlowState) -> Iterator[Metric]:
    yield _gauge("tandem_pending_users", "Pending users of all instances, to 100,000.", state.pending)
    oldest = "How long the oldest pending user has been waiting."
    yield _gauge("tandem_oldest_pending_seconds", oldest, state.oldest_pending_seconds)
    yield _gauge("tandem_dead_letters", "Users set aside, to 1,000.", state.dead_letters)


def _instance(of: Measured) -> Iterator[Metric]:
    yield _gauge("tandem_ready", "Whether this instance can take a command.", of.is_ready())
    yield _gauge("tandem_lease_held", "Whether PostgreSQL renewed the lease last time.", of.lease.held)
    connections = of.database.connections
    yield _gauge("tandem_postgres_connections", "Connections to PostgreSQL.", connections, "state")
    late = "How late the event loop was, measured four times a second."
    yield _histogram("tandem_event_loop_delay_seconds", late, of.loop_delays)
    known = {(of.app_id, metadata.version("tandem-cqrs")): 1}
    yield _gauge("tandem_instance_info", "Which instance.", known, "app_id", "version")


def _family(
    kind: Callable[..., CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily],
    name: str,
    text: str,
    series: Series,
    *labels: str,
) -> Metric:
    family = kind(name, text, labels=labels)
    for key, value in (series if isinstance(series, Mapping) else {(): series}).items():
        shown = _buckets(value) if isinstance(value, Histogram) else (value,)
        family.add_metric([key] if isinstance(key, str) else list(key), *shown)
    return family


_counter = partial(_family, CounterMetricFamily)
_gauge = partial(_family, GaugeMetricFamily)
_histogram = partial(_family, HistogramMetricFamily)


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, int]], float]:
    buckets = [("+Inf" if bound == inf else f"{bound:g}", count) for bound, count in histogram.cumulative()]
    return buckets, histogram.total


# Family, name, text, and the attribute of a coalescer that is shown.
_OF_COALESCERS = (
    (_histogram, "tandem_batch_items", "Items in a batch.", "counters.sizes"),
    (_histogram, "tandem_batch_duration_seconds", "How long a batch was in flight.", "counters.durations"),
    (
        _counter,
        "tandem_batch_retries",
        "Batches tried again because a server did not answer.",
        "counters.retries",
    ),
    (_counter, "tandem_refused_items", "Items refused because too many were waiting.", "counters.refused"),
    (_counter, "tandem_failed_items", "Items that got an error.", "counters.failed"),
    (_gauge, "tandem_waiting_items", "Items that wait for a batch.", "waiting"),
    (_gauge, "tandem_waiting_items_limit", "Items that may wait.", "policy.max_waiting"),
)
