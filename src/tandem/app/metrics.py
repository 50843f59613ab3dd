"""Metrics for Prometheus, read from the counters that the parts keep anyway."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tandem.app.bootstrap import Instance
from tandem.web.requests import Request, Response
from tandem.web.routes import Route

# Name, what it counts, and the counter of `kernel.coalescer.BatchTotals` it shows.
COALESCER_COUNTERS = [
    ("tandem_batches", "Batches carried out", "batches"),
    ("tandem_batch_items", "Items carried out in batches", "items"),
    ("tandem_batch_seconds", "Time that batches were in flight", "seconds"),
    ("tandem_batch_retries", "Batches tried again because a server did not answer", "retries"),
    ("tandem_refused_items", "Items refused because too many were waiting", "refused"),
    ("tandem_failed_items", "Items that got an error", "failed"),
]


class InstanceCollector(Collector):
    """Turns an instance's counters into metric families when it is scraped."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def collect(self) -> Iterator[Metric]:
        """All families, each with a value for every coalescer."""
        coalescers = self._instance.coalescers
        for name, text, attribute in COALESCER_COUNTERS:
            counter = CounterMetricFamily(name, text, labels=["coalescer"])
            for coalescer in coalescers:
                counter.add_metric([coalescer.name], getattr(coalescer.totals, attribute))
            yield counter
        waiting = GaugeMetricFamily(
            "tandem_waiting_items", "Items that wait for a batch", labels=["coalescer"]
        )
        for coalescer in coalescers:
            waiting.add_metric([coalescer.name], coalescer.waiting)
        yield waiting
        claimed = self._instance.recovery.claimed
        yield CounterMetricFamily("tandem_recovered_users", "Pending users taken up again", value=claimed)
        ready = float(self._instance.why_not_ready is None)
        yield GaugeMetricFamily("tandem_ready", "Whether this instance can take a command", value=ready)


class MetricsController:
    """Shows this instance's metrics; each instance is scraped on its own port."""

    def __init__(self, instance: Instance) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(InstanceCollector(instance))

    def routes(self) -> list[Route]:
        """The one route."""
        summary = "Metrics of this instance, for Prometheus"
        return [
            Route(
                "GET",
                "/metrics",
                self.metrics,
                summary,
                answers={200: str},
                tag="health",
                media_type="text/plain",
            )
        ]

    async def metrics(self, request: Request[Any, Any, None]) -> Response:
        """The metrics in Prometheus' text format."""
        del request
        return Response(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)
