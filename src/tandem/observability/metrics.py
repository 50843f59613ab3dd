"""The metrics of an instance, in Prometheus' text format.

The parts of an instance keep plain counters. These become metrics only when somebody asks, so that the flow
pays for none of it. Names follow Prometheus' conventions; `docs/observability.md` lists all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from math import inf
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tandem.delivery.flow_state import FlowState, Latest
from tandem.delivery.lease import Lease
from tandem.histogram import Histogram
from tandem.http.counters import HttpCounters
from tandem.http.requests import NoArguments, Request, Response
from tandem.http.routes import Route
from tandem.kernel import Coalescer
from tandem.observability.flows import ObservedFlow, ObservedReactions, ReactionsLeft
from tandem.postgres.database import Database
from tandem.verification.chunks import VerifiedState

# Label values to a value or a histogram; where a metric has no labels, that alone.
Series = Mapping[Any, float | Histogram] | float | Histogram


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The parts of an instance that its metrics are read from."""

    app_id: str
    http: HttpCounters
    users: ObservedFlow
    #: Of each installed aggregate.
    aggregates: Sequence[ObservedFlow]
    #: None where no aggregate is installed.
    reactions: ObservedReactions | None
    #: All of the instance.
    coalescers: Sequence[Coalescer[Any, Any]]
    lease: Lease
    database: Database
    is_ready: Callable[[], bool]
    loop_delays: Histogram
    #: How many this instance's scrubber has verified, by kind; None where it is turned off.
    scrubbed: Mapping[str, int] | None
    #: How both stores compared, as the scrubbers of all instances have found.
    verified: Latest[Sequence[VerifiedState]]
    mongodb_answers: Callable[[], Awaitable[bool]]
    #: How old the oldest event is that the feed does not show yet.
    feed_held_back: Latest[float]
    #: Where there are several cells, whether each of their databases was heard last, by number and database.
    cells: Callable[[], Mapping[tuple[str, str], bool]]


class Family(NamedTuple):
    """A metric that is made when it is asked for: those of all routes take milliseconds."""

    name: str
    make: Callable[[], Metric]


class MetricsQuery(msgspec.Struct, frozen=True):
    """Which metrics to show."""

    names: Annotated[
        str, msgspec.Meta(description="Only these, separated by commas and without endings such as _total.")
    ] = ""


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
        return [text("GET", "/metrics", self.metrics, summary, query_type=MetricsQuery)]

    async def metrics(self, request: Request[NoArguments, MetricsQuery, None]) -> Response:
        """The metrics. Without PostgreSQL, those of all instances together are missing."""
        of = self._measured
        state, mongodb_answers, of_aggregates, held_back, verified = await asyncio.gather(
            of.users.states.latest(),
            of.mongodb_answers(),
            _families_of_aggregates(of),
            of.feed_held_back.latest(),
            of.verified.latest(),
        )
        families = [
            *families_of(of, state, mongodb_answers=mongodb_answers),
            *of_aggregates,
            *_feed(held_back),
            *_verification(of.scrubbed, verified),
            *(Family(metric.name, partial(_same, metric)) for metric in self._process.collect()),
        ]
        return Response(200, await _text(families, request.query.names), CONTENT_TYPE_LATEST)


class _Scrape(Collector):
    """One metric as `generate_latest` takes it."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


async def _text(families: Iterable[Family], names: str) -> bytes:
    """Those families in Prometheus' format. Requests are served between any two of them."""
    wanted = {name.strip() for name in names.split(",")} if names else None
    text = b""
    for family in families:
        if wanted is None or family.name in wanted:
            text += generate_latest(_Scrape(family.make()))
            await asyncio.sleep(0)
    return text


def _same(metric: Metric) -> Metric:
    return metric


def families_of(of: Measured, state: FlowState | None, *, mongodb_answers: bool) -> Iterator[Family]:
    """All but those of aggregates. `state` is None while PostgreSQL does not answer."""
    yield from _requests(of.http)
    yield from _users(of.users)
    yield from _batches(of.coalescers)
    answers = {"postgresql": state is not None, "mongodb": mongodb_answers}
    yield _gauge("tandem_database_answers", "Whether a database answered just now.", answers, "database")
    what = "Whether a cell's database answered when something was last read from it."
    yield _gauge("tandem_cell_answers", what, of.cells(), "cell", "database")
    if state is not None:
        yield from _all_instances(state)
    yield from _instance(of)


async def _families_of_aggregates(of: Measured) -> list[Family]:
    """Those of installed aggregates; of none, none."""
    states = await asyncio.gather(*(each.states.latest() for each in of.aggregates))
    families = list(_aggregates(of.aggregates, states)) if of.aggregates else []
    if of.reactions is not None:
        families += _reactions(of.reactions, await of.reactions.left.latest())
    return families


def _requests(http: HttpCounters) -> Iterator[Family]:
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


def _users(of: ObservedFlow) -> Iterator[Family]:
    yield _counter("tandem_stage_users", "Users that have passed a stage here.", of.stages, "stage")
    taken_over = "Users synchronized here that another instance had created."
    yield _counter("tandem_taken_over_users", taken_over, of.committed.taken_over)
    yield _counter("tandem_recovered_users", "Pending users taken up again.", of.recovery.claimed)
    lag = "From CREATED to SYNCRONIZED, of users synchronized here."
    yield _histogram("tandem_lag_seconds", lag, of.committed.lag)


def _batches(coalescers: Sequence[Coalescer[Any, Any]]) -> Iterator[Family]:
    for family, name, text, attribute in _OF_COALESCERS:
        read = attrgetter(attribute)
        yield family(name, text, {each.name: read(each) for each in coalescers}, "coalescer")


def _all_instances(state: FlowState) -> Iterator[Family]:
    yield _gauge("tandem_pending_users", "Pending users of all instances, to 100,000.", state.pending)
    oldest = "How long the oldest pending user has been waiting."
    yield _gauge("tandem_oldest_pending_seconds", oldest, state.oldest_pending_seconds)
    yield _gauge("tandem_dead_letters", "Users set aside, to 1,000.", state.dead_letters)


def _aggregates(of: Sequence[ObservedFlow], states: Sequence[FlowState | None]) -> Iterator[Family]:
    """The measures of users for each aggregate, by its name."""
    stages = {(each.kind, stage): count for each in of for stage, count in each.stages.items()}
    passed = "Aggregates that have passed a stage here."
    yield _counter("tandem_aggregate_stage", passed, stages, "aggregate", "stage")
    for family, name, text, attribute in _OF_FLOWS:
        read = attrgetter(attribute)
        yield family(f"tandem_aggregate_{name}", text, {each.kind: read(each) for each in of}, "aggregate")
    known = {each.kind: state for each, state in zip(of, states, strict=True) if state is not None}
    for name, text, attribute in _OF_STATES if known else ():
        read = attrgetter(attribute)
        values = {kind: read(state) for kind, state in known.items()}
        yield _gauge(f"tandem_aggregate_{name}", text, values, "aggregate")


def _feed(held_back: float | None) -> Iterator[Family]:
    if held_back is not None:
        text = "Age of the oldest event that the feed does not show yet: a transaction before it is open."
        yield _gauge("tandem_feed_held_back_seconds", text, held_back)


def _verification(
    scrubbed: Mapping[str, int] | None, found: Sequence[VerifiedState] | None
) -> Iterator[Family]:
    if scrubbed is not None:
        text = "Rows and documents of this kind that this instance has verified."
        yield _counter("tandem_verified_users", text, scrubbed, "kind")
    if found:
        differences = {(each.kind, what): n for each in found for what, n in each.differences.items()}
        text = "Differences between both stores, as all instances last saw them."
        yield _gauge("tandem_differences", text, differences, "kind", "what")
    if found and scrubbed is not None:
        oldest = {each.kind: each.age_seconds for each in found}
        yield _gauge("tandem_verification_age_seconds", "Age of the oldest verification.", oldest, "kind")


def _reactions(of: ObservedReactions, left: ReactionsLeft | None) -> Iterator[Family]:
    yield _counter("tandem_reactions_done", "Reactions carried out here.", of.done())
    if left is not None:
        pending = "Reactions that all instances have left to do, to 100,000."
        yield _gauge("tandem_reactions_pending", pending, left.pending)
        oldest = "How long the oldest of them has been waiting."
        yield _gauge("tandem_oldest_reaction_seconds", oldest, left.oldest_seconds)


def _instance(of: Measured) -> Iterator[Family]:
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
) -> Family:
    def made() -> Metric:
        family = kind(name, text, labels=labels)
        for key, value in (series if isinstance(series, Mapping) else {(): series}).items():
            shown = _buckets(value) if isinstance(value, Histogram) else (value,)
            family.add_metric([key] if isinstance(key, str) else list(key), *shown)
        return family

    return Family(name, made)


_counter = partial(_family, CounterMetricFamily)
_gauge = partial(_family, GaugeMetricFamily)
_histogram = partial(_family, HistogramMetricFamily)


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, int]], float]:
    buckets = [("+Inf" if bound == inf else f"{bound:g}", count) for bound, count in histogram.cumulative()]
    return buckets, histogram.total


# Family, end of the name, text, and the attribute of a flow that is shown for each aggregate.
_OF_FLOWS = (
    (
        _counter,
        "taken_over",
        "Aggregates synchronized here that another instance had created.",
        "committed.taken_over",
    ),
    (_counter, "recovered", "Pending aggregates taken up again.", "recovery.claimed"),
    (
        _histogram,
        "lag_seconds",
        "From a version's commit to SYNCRONIZED, of aggregates synchronized here.",
        "committed.lag",
    ),
)
# End of the name, text, and the attribute of what all instances have left to do.
_OF_STATES = (
    ("pending", "Pending aggregates of all instances, to 100,000.", "pending"),
    (
        "oldest_pending_seconds",
        "How long the oldest pending aggregate has been waiting.",
        "oldest_pending_seconds",
    ),
    ("dead_letters", "Aggregates set aside, to 1,000.", "dead_letters"),
)
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
