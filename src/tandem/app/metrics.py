"""Metrics over HTTP, in Prometheus' text format."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tandem.app.bootstrap import Instance
from tandem.app.collector import InstanceCollector
from tandem.delivery.flow_state import FlowStates
from tandem.http.counters import HttpCounters
from tandem.http.requests import Request, Response
from tandem.http.routes import Route
from tandem.user_command.repository import KIND


class MetricsController:
    """Shows this instance's metrics; each instance is scraped on its own port."""

    def __init__(self, instance: Instance, http: HttpCounters) -> None:
        self._flow_states = FlowStates(instance.adapters.reads, KIND)
        self._mongodb_answers = instance.adapters.mongodb_answers
        self._collector = InstanceCollector(instance, http)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)

    def routes(self) -> list[Route]:
        """The one route."""
        summary = "Metrics of this instance, for Prometheus"
        return [
            Route(
                "GET",
                "/metrics",
                self.metrics,
                summary,
                responses={200: str},
                tag="health",
                media_type="text/plain",
            )
        ]

    async def metrics(self, request: Request[Any, Any, None]) -> Response:
        """The metrics. Without PostgreSQL, those of the whole flow are missing."""
        del request
        self._collector.flow_state, self._collector.mongodb_answers = await asyncio.gather(
            self._flow_states.latest(), self._mongodb_answers()
        )
        return Response(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)
