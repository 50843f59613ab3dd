"""An instance that answers over HTTP."""

import asyncio
import gc
import importlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tandem.aggregates.command_controller import AggregateCommandController
from tandem.aggregates.names_controller import AggregateNamesController
from tandem.aggregates.query_controller import AggregateQueryController
from tandem.app import observed, reading
from tandem.app.authentication import authenticator_of
from tandem.app.bootstrap import Adapt, Instance, as_they_are, run_instance
from tandem.app.cells import Store
from tandem.app.keys import keys_of_aggregates, keys_of_users
from tandem.app.problems import TRANSLATE
from tandem.app.stop import StopRequest
from tandem.config import Settings, SettingsError
from tandem.delivery.flow_state import Latest
from tandem.feed.controller import FeedController
from tandem.http.application import Application
from tandem.http.authentication import Authenticator, TokenAuthenticator
from tandem.http.counters import HttpCounters
from tandem.http.limits import Answers
from tandem.http.openapi import openapi_route
from tandem.http.routes import Route
from tandem.http.security_headers import content_security_policy
from tandem.http.serving import serve
from tandem.http.static import static_routes
from tandem.http.swagger import swagger_routes
from tandem.observability.health import FlowCheck, HealthController
from tandem.observability.metrics import Measured, MetricsController
from tandem.random_users import RandomUsersController
from tandem.runs.described import DescribedController
from tandem.runs.happenings_controller import HappeningsController
from tandem.runs.live import LiveController
from tandem.runs.runs import RunsController
from tandem.runs.verdict_controller import VerdictController
from tandem.user_command.controller import UserCommandController
from tandem.verification.controller import VerificationController

if TYPE_CHECKING:
    from tandem.observability.tracing import Tracing

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Users are written to PostgreSQL (command side), served from MongoDB (query side), and kept in step "
    "by an event flow. A 201 means committed; the user is readable on the query side moments later."
)
RANDOM_USER_SITE = "https://randomuser.me"


class Controller(Protocol):
    """What answers some routes."""

    def routes(self) -> list[Route]:
        """Its routes."""


def application(instance: Instance, authenticator: Authenticator) -> Application:
    """Everything that an instance answers, to requests that its authenticator lets in."""
    counters = HttpCounters()
    controllers: list[Controller] = [
        UserCommandController(
            instance.flow.commands,
            instance.flow.acknowledgements,
            instance.placement,
            keys_of_users(instance),
            require_if_match=instance.settings.require_if_match,
        ),
        *reading.users_of(instance.cells),
        RunsController(reading.runs_of(instance.cells), judges := reading.judges_of(instance.cells)),
        VerdictController(judges),
        DescribedController(instance.cells.everywhere(lambda reads: reads.adapters.reads, Store.POSTGRESQL)),
        *observed.dead_letters_of(instance),
        RandomUsersController(),
        *_health_and_metrics(instance, counters),
        LiveController(instance.feeds),
        HappeningsController(instance.cells.own.samples),
        FeedController(instance.cells.everywhere(lambda reads: reads.following, Store.POSTGRESQL)),
        AggregateNamesController([flow.aggregate for flow in instance.own.flows.values()]),
        *_of_aggregates(instance),
    ]
    routes = [route for controller in controllers for route in controller.routes()]
    routes.append(
        openapi_route(
            routes,
            title="Tandem",
            version=metadata.version("tandem-cqrs"),
            description=DESCRIPTION,
            locked=isinstance(authenticator, TokenAuthenticator),
        )
    )
    policy = content_security_policy(connect=RANDOM_USER_SITE)
    page = static_routes(client_folder(), "/client", policy, index_paths=("/",))
    return Application(
        [*routes, *swagger_routes(), *page],
        translate=TRANSLATE,
        authenticator=authenticator,
        counters=counters,
    )


def _of_aggregates(instance: Instance) -> Iterator[Controller]:
    """What answers for installed aggregates."""
    require_if_match = instance.settings.require_if_match
    for kind, flow in instance.own.flows.items():
        rows, found, documents = reading.aggregates_of(instance.cells, kind)
        keys = keys_of_aggregates(instance, flow.aggregate)
        yield AggregateCommandController(rows, instance.placement, keys, require_if_match=require_if_match)
        yield AggregateQueryController(found, rows, documents)


def _health_and_metrics(instance: Instance, http: HttpCounters) -> Iterator[Controller]:
    adapters, app_id = instance.adapters, instance.settings.app_id
    users, aggregates = observed.users_of(instance), observed.aggregates_of(instance)
    reactions = observed.reactions_of(instance)
    verified = instance.cells.own.verified
    yield VerificationController(instance.cells.everywhere(lambda reads: reads.verified, Store.POSTGRESQL))
    check = FlowCheck(
        missing_indexes=lambda: instance.background.missing_indexes,
        users=users,
        aggregates=aggregates,
        reactions=reactions,
        history=adapters.history,
        verified=verified,
        max_pending_age_seconds=instance.settings.max_pending_age_seconds,
    )
    yield HealthController(app_id, instance, check)
    measured = Measured(
        app_id=app_id,
        http=http,
        users=users,
        aggregates=aggregates,
        reactions=reactions,
        coalescers=[*instance.flow.coalescers, *instance.own.coalescers],
        lease=adapters.lease,
        database=adapters.database,
        is_ready=lambda: instance.why_not_ready is None,
        loop_delays=instance.background.loop_delays,
        scrubbed=instance.scrubber.verified if instance.scrubber.is_on else None,
        verified=verified,
        mongodb_answers=adapters.mongodb_answers,
        feed_held_back=Latest(adapters.feed.held_back_seconds),
        cells=instance.cells.heard,
    )
    yield MetricsController(measured)


def client_folder() -> Path:
    """The static page: inside the package when installed, beside `src` in a checkout."""
    installed = Path(str(resources.files("tandem"))) / "client"
    return installed if installed.is_dir() else installed.parents[2] / "client"


def calm_garbage_collector() -> None:
    """Look for cycles seldom, and never among objects that live as long as the process.

    Nearly nothing here forms cycles. But a batch in flight holds some ten thousand objects, and with its
    defaults the collector walks them again and again: 7 % of an instance's CPU under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def let_others_finish() -> None:
    """Take no core away from who is at work when a request arrives, such as the load balancer or a client.

    So that one passes on more requests before this process wakes, and this one finds them all at once: with
    three instances on two cores that saves 10 to 20 % of the CPU of a user. Where cores are free, it changes
    nothing.
    """
    with suppress(OSError, AttributeError):  # a sandbox may forbid it, and only Linux knows it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _tracing_of(settings: Settings) -> AbstractAsyncContextManager["Tracing"]:
    """Loaded only here, so that an instance without traces does not need OpenTelemetry."""
    try:
        module = importlib.import_module("tandem.observability.tracing")
    except ModuleNotFoundError as error:
        msg = (
            f"TRACES_URL needs OpenTelemetry, and {error.name} is not installed. Install "
            "tandem-cqrs[tracing], or take TRACES_URL away."
        )
        raise SettingsError(msg) from None
    tracing: AbstractAsyncContextManager[Tracing] = module.open_tracing(settings)
    return tracing


async def serve_instance(
    settings: Settings, on_ready: Callable[[int], None] | None = None, adapt: Adapt = as_they_are
) -> None:
    """Run an instance until SIGTERM or SIGINT, then finish what it has in flight.

    If the signal comes before the instance has started, it gives up.

    Raises:
        SettingsError: its settings ask for an authenticator or for traces that it cannot have.
        UnsuitableServer: one of the two database servers cannot be used.
        ListenError: the port cannot be had.
    """
    stop = StopRequest()
    let_others_finish()  # threads that are started from now on do so, too
    try:
        async with open_application(settings, adapt) as app:
            stop.wait_for_it()
            await serve(
                app,
                (settings.host, settings.port),
                stop=stop.wait,
                drain=timedelta(seconds=settings.drain_seconds),
                on_ready=on_ready,
            )
    except asyncio.CancelledError:
        if not stop.was_made:
            raise
        logger.info("Told to stop before it had started.")


@asynccontextmanager
async def open_application(settings: Settings, adapt: Adapt = as_they_are) -> AsyncIterator[Answers]:
    """Run an instance, and give what answers for it. At the end it finishes what it has in flight.

    Raises: see `serve_instance`.
    """
    authenticator = authenticator_of(settings)
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(_tracing_of(settings)) if settings.traces_url else None
        instance = await stack.enter_async_context(run_instance(settings, adapt))
        app = application(instance, authenticator)
        calm_garbage_collector()
        if tracing is None:
            yield app
        else:
            coalescers = [*instance.flow.commands.coalescers, *observed.steps_of(instance)]
            yield tracing.trace(app, coalescers, observed.operations_of(instance))
