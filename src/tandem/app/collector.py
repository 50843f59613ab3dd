"""What an instance tells Prometheus, made of plain counters when somebody asks: the flow pays for none of it.

Names follow Prometheus' conventions; `docs/observability.md` has them all in a table.
"""

from collections.abc import Iterator, Mapping
from importlib import metadata
from math import inf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tandem.app.bootstrap import Instance
from tandem.delivery.flow_state import FlowState
from tandem.http.counters import HttpCounters
from tandem.telemetry import Histogram

# Name, what it counts, and the counter of `kernel.coalescer.BatchCounters` that it shows.
COALESCER_COUNTERS = [
    ("tandem_batch_retries", "Batches tried again because a server did not answer.", "retries"),
    ("tandem_refused_items", "Items refused because too many were waiting.", "refused"),
    ("tandem_failed_items", "Items that got an error.", "failed"),
]


class InstanceCollector(Collector):
    """Turns an instance's counters into metric families when it is scraped."""

    def __init__(self, instance: Instance, http: HttpCounters) -> None:
        self._instance = instance
        self._http = http
        #: Of all instances together; None while PostgreSQL does not answer.
        self.flow_state: FlowState | None = None
        self.mongodb_answers = False

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._requests()
        yield from self._stages()
        yield from self._coalescers()
        yield from self._databases()
        yield from self._whole_flow()
        yield from self._instance_itself()

    def _requests(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "tandem_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        durations = HistogramMetricFamily(
            "tandem_http_request_duration_seconds",
            "From the whole request to its answer; of a stream, to its beginning.",
            labels=["method", "route"],
        )
        for counters in self._http.routes:
            for status, count in counters.statuses.items():
                answers.add_metric([counters.method, counters.path, str(status)], count)
            _add(durations, [counters.method, counters.path], counters.seconds)
        yield answers
        yield durations
        refused = CounterMetricFamily(
            "tandem_http_refused_requests",
            "Requests refused before they were read whole: too large, too slow, or against HTTP.",
            labels=["status"],
        )
        for status, count in self._http.refused.items():
            refused.add_metric([str(status)], count)
        yield refused
        yield _gauge(
            "tandem_http_connections", "Open connections of clients.", self._http.count_connections()
        )

    def _stages(self) -> Iterator[Metric]:
        committed = self._instance.adapters.users.counters
        users = CounterMetricFamily(
            "tandem_stage_users", "Users that have passed a stage here.", labels=["stage"]
        )
        users.add_metric(["stored"], committed.created)
        users.add_metric(["projected"], self._instance.flow.query_service.projected)
        users.add_metric(["synchronized"], committed.synchronized)
        users.add_metric(["set_aside"], self._instance.flow.set_aside.counters.items)
        yield users
        yield CounterMetricFamily(
            "tandem_taken_over_users",
            "Users synchronized here that another instance had created.",
            value=committed.taken_over,
        )
        yield CounterMetricFamily(
            "tandem_recovered_users",
            "Pending users taken up again.",
            value=self._instance.flow.recovery.claimed,
        )
        lag = HistogramMetricFamily(
            "tandem_lag_seconds", "From CREATED to SYNCRONIZED, of users synchronized here.", labels=[]
        )
        _add(lag, [], committed.lag)
        yield lag

    def _coalescers(self) -> Iterator[Metric]:
        coalescers = self._instance.flow.coalescers
        sizes = HistogramMetricFamily("tandem_batch_items", "Items in a batch.", labels=["coalescer"])
        durations = HistogramMetricFamily(
            "tandem_batch_duration_seconds", "How long a batch was in flight.", labels=["coalescer"]
        )
        for coalescer in coalescers:
            _add(sizes, [coalescer.name], coalescer.counters.sizes)
            _add(durations, [coalescer.name], coalescer.counters.durations)
        yield sizes
        yield durations
        for name, text, attribute in COALESCER_COUNTERS:
            counter = CounterMetricFamily(name, text, labels=["coalescer"])
            for coalescer in coalescers:
                counter.add_metric([coalescer.name], getattr(coalescer.counters, attribute))
            yield counter
        waiting = {coalescer.name: coalescer.waiting for coalescer in coalescers}
        room = {coalescer.name: coalescer.policy.max_waiting for coalescer in coalescers}
        yield _gauges("tandem_waiting_items", "Items that wait for a batch.", "coalescer", waiting)
        yield _gauges("tandem_waiting_items_limit", "Items that may wait.", "coalescer", room)

    def _databases(self) -> Iterator[Metric]:
        answers = {"postgresql": self.flow_state is not None, "mongodb": self.mongodb_answers}
        yield _gauges("tandem_database_answers", "Whether a database answered just now.", "database", answers)

    def _whole_flow(self) -> Iterator[Metric]:
        state = self.flow_state
        if state is None:
            return
        yield _gauge("tandem_pending_users", "Pending users of all instances, to 100,000.", state.pending)
        yield _gauge(
            "tandem_oldest_pending_seconds",
            "How long the oldest pending user has been waiting.",
            state.oldest_pending_seconds,
        )
        yield _gauge("tandem_dead_letters", "Users set aside, to 1,000.", state.dead_letters)

    def _instance_itself(self) -> Iterator[Metric]:
        instance = self._instance
        ready = float(instance.why_not_ready is None)
        yield _gauge("tandem_ready", "Whether this instance can take a command.", ready)
        yield _gauge(
            "tandem_lease_held",
            "Whether PostgreSQL renewed the lease last time.",
            instance.adapters.lease.held,
        )
        yield _gauges(
            "tandem_postgres_connections",
            "Connections to PostgreSQL.",
            "state",
            instance.adapters.database.connections,
        )
        delays = HistogramMetricFamily(
            "tandem_event_loop_delay_seconds", "How late the event loop was, measured four times a second."
        )
        _add(delays, [], instance.background.loop_delays)
        yield delays
        version = metadata.version("tandem-cqrs")
        info = GaugeMetricFamily("tandem_instance_info", "Which instance.", labels=["app_id", "version"])
        info.add_metric([instance.settings.app_id, version], 1)
        yield info


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    buckets = [("+Inf" if bound == inf else f"{bound:g}", count) for bound, count in histogram.cumulative()]
    family.add_metric(labels, buckets, histogram.total)
