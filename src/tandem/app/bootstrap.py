"""The composition root: the only place that knows which parts make an instance. Tests wire by it too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.flow import ResumedWork
from tandem.aggregates.installed import installed
from tandem.app.adapters import Adapters, connected
from tandem.app.aggregates import OwnFlows
from tandem.app.background import Background
from tandem.app.cells import Cells, Store
from tandem.app.flow import UserFlow
from tandem.app.read_side import read_side_of
from tandem.app.reading import words_of
from tandem.config import Settings
from tandem.cqrs import ChangeUserQueryEvent, CreateUserQueryEvent
from tandem.cqrs.user import KIND
from tandem.delivery.placement import Draining, Placement
from tandem.delivery.recovery import Flow
from tandem.delivery.source import Chunks
from tandem.runs.live_feed import LiveFeed
from tandem.verification.repairer import Repairer
from tandem.verification.scrubber import ScrubbedStores, Scrubber
from tandem.verification.verifier import Gaps
from tandem.verification.whole import ROWS_A_CHUNK

# Makes other adapters of the connected ones. Tests use it for some that hold up a step, or do it wrong.
Adapt = Callable[[Adapters], Adapters]


def as_they_are(adapters: Adapters) -> Adapters:
    """These adapters, as every instance outside of tests has them."""
    return adapters


class Instance:
    """One instance, wired but not yet running: `run_instance` begins and ends its work.

    `flow` is the way of users through it, `own` the ways of installed aggregates, `adapters` talk to the
    outside, `background` runs besides.
    """

    def __init__(
        self,
        settings: Settings,
        adapters: Adapters,
        flow: UserFlow,
        own: OwnFlows,
        cells: Cells,
    ) -> None:
        self.settings = settings
        self.adapters = adapters
        self.flow = flow
        self.own = own
        #: What is read, of this cell and of others.
        self.cells = cells
        #: The live views of each kind's runs.
        self.feeds = _live_feeds(settings, cells)
        #: What of all commands is this cell's.
        self.placement = Placement(settings.cell, adapters.cells)
        self.repairer = _repairer_of(adapters, flow, own)
        self.scrubber = _scrubber_of(settings, adapters)
        self.draining = False
        self.background = Background(self)

    @property
    def live(self) -> LiveFeed:
        """The live views of users' runs."""
        return self.feeds[KIND]

    @property
    def why_nothing_new(self) -> str | None:
        """Why this instance cannot take a command that creates something; None when it can."""
        if self.placement.is_draining:
            return f"{Draining(self.placement.cell)}"
        return self.why_not_ready

    @property
    def why_not_ready(self) -> str | None:
        """Why this instance cannot take any command just now; None when it can."""
        if self.draining:
            return "It is stopping."
        if not self.adapters.lease.held:
            return f"{self.adapters.lease.trouble}."
        if self.flow.command_service.ids_used_up:
            return "All user ids are used up; no user can be created any more."
        if refusal := self.adapters.database.standby.trouble or self.adapters.users.refusal:
            return f"{refusal}."
        creates = self.flow.creates
        if creates.waiting >= creates.policy.max_waiting:
            return "Too many commands are waiting."
        return None


def wire(settings: Settings, adapters: Adapters) -> Instance:
    """Make an instance of its parts; nothing runs yet."""
    flow = UserFlow(settings, adapters)
    own = OwnFlows(settings, adapters.own, adapters.reactions, adapters.users.read, adapters.lease)
    if own.follows_users:
        flow.events.subscribe(CreateUserQueryEvent, own.reactions.nudge)
        flow.events.subscribe(ChangeUserQueryEvent, own.reactions.nudge)
    reads = read_side_of(adapters, flow.command_service, flow.query_service, own.flows)
    return Instance(settings, adapters, flow, own, Cells(settings, reads, adapters.cells))


def _live_feeds(settings: Settings, cells: Cells) -> Mapping[str, LiveFeed]:
    """The live views of each kind's runs."""
    mongodb = cells.everywhere(lambda reads: reads.adapters.mongodb_answers, Store.MONGODB)

    def feed(kind: str) -> LiveFeed:
        samples = cells.everywhere(lambda reads: reads.samples[kind], Store.POSTGRESQL)
        return LiveFeed(samples, mongodb, settings.app_id, kind, words_of(cells, kind))

    return {kind: feed(kind) for kind in cells.own.samples}


def _repairer_of(adapters: Adapters, flow: UserFlow, own: OwnFlows) -> Repairer:
    flows: dict[str, Flow[Any]] = {KIND: flow.resumed}
    flows |= {kind: ResumedWork(each) for kind, each in own.flows.items()}
    return Repairer(adapters.repairs, adapters.verified, flows, partial(_gaps, adapters))


def _scrubber_of(settings: Settings, adapters: Adapters) -> Scrubber:
    stores = ScrubbedStores(
        kinds=adapters.verified,
        chunks=adapters.chunks,
        repairs=adapters.repairs,
        cut=lambda kind: Chunks(adapters.database, kind, ROWS_A_CHUNK),
        gaps=partial(_gaps, adapters),
        live=lambda kind: adapters.projections.collections[kind].projection.live,
    )
    share = settings.scrub_cpu_percent
    return Scrubber(stores, lambda: adapters.lease.incarnation, share, repair=settings.scrub_repair)


async def _gaps(adapters: Adapters) -> Gaps:
    return (await adapters.history.state())[1]


@asynccontextmanager
async def run_instance(
    settings: Settings, adapt: Adapt = as_they_are, aggregates: Sequence[Aggregate[Any]] | None = None
) -> AsyncIterator[Instance]:
    """Connect to both databases, begin to work, and end in order: finish, give the lease back, disconnect.

    It serves these aggregates beside users; all that are installed, if none are named.

    Raises:
        UnsuitableServer: one of the two servers cannot be used; says why and what to do.
    """
    async with connected(settings, installed() if aggregates is None else aggregates) as adapters:
        instance = wire(settings, adapt(adapters))
        await instance.adapters.history.follow()
        await instance.adapters.lease.begin()
        # Read by whoever is registered: what is changed from now on waits for this life.
        instance.adapters.lease.epoch = await instance.adapters.projections.follow()
        instance.cells.begin()
        work = asyncio.create_task(instance.background.run(), name="background")
        try:
            yield instance
        finally:
            instance.draining = True
            await asyncio.gather(instance.flow.finish(), instance.own.finish())
            work.cancel()
            await asyncio.wait([work])
            await instance.adapters.lease.end()
            await instance.cells.close()
