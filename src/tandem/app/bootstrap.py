"""The composition root: the only place that knows which parts make an instance. Tests wire by it too."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from tandem.app.on_their_way import UsersOnTheirWay
from tandem.config import Settings
from tandem.cqrs import (
    CreateUserCommand,
    CreateUserCommandHandler,
    CreateUserQueryCommand,
    CreateUserQueryEvent,
    CreateUserQueryHandler,
    RefusedUserEvent,
    SetAsideUserCommand,
    SetAsideUserCommandHandler,
    SynchronizedUserEvent,
    SynchronizeUserCommand,
    SynchronizeUserCommandHandler,
    UserSaga,
)
from tandem.delivery.lease import SECONDS_BETWEEN_RENEWALS, Lease
from tandem.delivery.pending import PendingRows
from tandem.delivery.recovery import SECONDS_BETWEEN_LOOKS, Recovery
from tandem.kernel import Backoff, Coalescer, Coalescing, CommandBus, EventBus, keep_running
from tandem.postgres.database import READING_CONNECTIONS, Database
from tandem.runs.in_hand import ClaimedUsers, in_hand_by_run
from tandem.runs.live_feed import LiveFeed
from tandem.runs.samples import RunSamples
from tandem.runs.statistics import Statistics
from tandem.telemetry import Histogram, measure_loop_delay
from tandem.user_command.completeness import Completeness
from tandem.user_command.dead_letters import DeadLetters
from tandem.user_command.history import History
from tandem.user_command.repository import KIND, UserCommandRepository
from tandem.user_command.schema import require_migrated
from tandem.user_command.service import UserCommandService
from tandem.user_query.database import (
    Client,
    answers,
    missing_indexes,
    open_client,
    require_suitable,
    users_of,
)
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import UserSearch
from tandem.user_query.service import UserQueryService
from tandem.user_query.witness import Witness

# Nobody waits for these: fewer and larger batches save MongoDB two thirds of its time for a lone browser, and
# cost a user up to so much lag. See docs/performance.md.
PROJECTION_PACE = timedelta(milliseconds=20)
WRITE_BACK_PACE = timedelta(milliseconds=10)
SECONDS_BETWEEN_LOOKS_AT_INDEXES = 5.0

logger = logging.getLogger(__name__)


class Instance:
    """One instance, wired but not yet running: `run_instance` begins and ends its work."""

    def __init__(self, settings: Settings, database: Database, client: Client) -> None:
        self.settings = settings
        self.commands = CommandBus()
        self.events = EventBus(self.commands)
        reads = database.sharing(READING_CONNECTIONS)
        self.lease = Lease(database, settings.app_id, timedelta(seconds=settings.lease_seconds))
        self.repository = UserCommandRepository(database, settings.app_id, reads)
        self.command_service = UserCommandService(self.repository, self.lease)
        users = users_of(client)
        self.query_service = UserQueryService(UserQueryRepository(users), UserSearch(users), settings.app_id)
        self.witness = Witness(users)
        self.history = History(database, self.witness.highest_id)
        self.repository.on_taken_id = self.history.doubt
        self.database = database
        self.reads = reads
        self.statistics = Statistics(reads)
        self.pending = PendingRows(database, KIND, self.repository.read_pending, reads)
        self.claimed_users = ClaimedUsers()
        self.dead_letters = DeadLetters(reads)
        self.completeness = Completeness(reads)
        self.mongodb_answers = partial(answers, client)
        self.live = LiveFeed(RunSamples(reads), self.mongodb_answers, settings.app_id)
        self.loop_delays = Histogram()
        self.draining = False
        #: What MongoDB's collection lacks, in a sentence, and what to do; empty: nothing.
        self.missing_indexes = ""
        self._client = client
        self._register_flow()

    def _register_flow(self) -> None:
        """The two tables of dispatch: a command to its handler, an event to its saga."""
        settings = self.settings
        create = CreateUserCommandHandler(self.command_service, self.events)
        project = CreateUserQueryHandler(self.query_service, self.events)
        write_back = SynchronizeUserCommandHandler(self.command_service)
        on_their_way = Coalescing(
            max_batch=settings.max_batch, max_waiting=settings.max_in_projection, retry=Backoff()
        )
        projecting = msgspec.structs.replace(on_their_way, pace=PROJECTION_PACE)
        writing_back = msgspec.structs.replace(on_their_way, pace=WRITE_BACK_PACE)
        self.creates: Coalescer[CreateUserCommand, Any] = self.commands.register_coalesced(
            CreateUserCommand,
            create.execute,
            # A batch may wait a moment for somebody else's transaction with the same key: others pass it by.
            Coalescing(max_batch=settings.max_batch, max_waiting=settings.max_waiting_commands, lanes=2),
        )
        self.projection: Coalescer[CreateUserQueryCommand, Any] = self.commands.register_coalesced(
            CreateUserQueryCommand, project.execute, projecting
        )
        self.write_back: Coalescer[SynchronizeUserCommand, Any] = self.commands.register_coalesced(
            SynchronizeUserCommand, write_back.execute, writing_back
        )
        self.set_aside: Coalescer[SetAsideUserCommand, Any] = self.commands.register_coalesced(
            SetAsideUserCommand, SetAsideUserCommandHandler(self.command_service).execute, on_their_way
        )
        flow = UsersOnTheirWay(self.commands, self.projection, self.write_back, self.set_aside)
        self.recovery = Recovery(self.pending, self.lease, flow)
        self.recovery.observers.append(self.claimed_users.count)
        self.events.saga(CreateUserQueryEvent, UserSaga.user_created)
        self.events.saga(SynchronizedUserEvent, UserSaga.user_synchronized)
        self.events.saga(RefusedUserEvent, UserSaga.user_refused)

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """All of them, for the metrics."""
        return [*self.commands.coalescers, *self.query_service.coalescers]

    @property
    def why_not_ready(self) -> str | None:
        """Why this instance cannot take a command just now; None when it can."""
        if self.draining:
            return "It is stopping."
        if not self.lease.held:
            return f"{self.lease.trouble}."
        if self.command_service.ids_used_up:
            return "All user ids are used up; no user can be created any more."
        if self.repository.refusal is not None:
            return f"{self.repository.refusal}."
        if self.creates.waiting >= self.creates.coalescing.max_waiting:
            return "Too many commands are waiting."
        return None

    async def work(self) -> None:
        """What an instance does besides answering: lease, recovery, and whoever watches a run."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("lease", self._renew_lease))
            tasks.create_task(keep_running("recovery", self._recover))
            tasks.create_task(keep_running("indexes", self._look_at_indexes))
            tasks.create_task(keep_running("history", self.history.look_again))
            tasks.create_task(keep_running("live view", self.live.run_once))
            tasks.create_task(measure_loop_delay(self.loop_delays))

    async def _renew_lease(self) -> float:
        in_hand = in_hand_by_run(
            self.creates.held(), self.write_back.held(), self.claimed_users.by_run, self.settings.app_id
        )
        await self.lease.renew(self.creates.waiting, in_hand, ready=self.why_not_ready is None)
        await self.command_service.look_for_ids()
        await self.repository.try_creating(self.lease.incarnation)
        return SECONDS_BETWEEN_RENEWALS

    async def _look_at_indexes(self) -> float:
        """Somebody may drop the collection; MongoDB makes a new one with the next write, without indexes."""
        missing = await missing_indexes(self._client)
        if missing:
            missing += (
                ", which `tandem migrate` makes again. Was the collection dropped, its users are to be sent "
                "again: see Backup and restore in docs/operations.md."
            )
        if missing != self.missing_indexes:
            logger.log(logging.ERROR if missing else logging.INFO, "%s", missing or "All indexes are there.")
        self.missing_indexes = missing
        return SECONDS_BETWEEN_LOOKS_AT_INDEXES

    async def _recover(self) -> float:
        # Who stops takes up nothing more: there might be no end to it.
        return SECONDS_BETWEEN_LOOKS if self.draining else await self.recovery.run_once()

    async def finish(self) -> None:
        """Bring to its end what is in hand, as far as the time to drain allows; the rest is recovered."""
        await self.commands.drain(timedelta(seconds=self.settings.drain_seconds))
        for coalescer in self.coalescers:
            coalescer.stop()


@asynccontextmanager
async def run_instance(settings: Settings) -> AsyncIterator[Instance]:
    """Connect to both databases, begin to work, and end in order: finish, give the lease back, disconnect.

    Raises:
        UnsuitableServer: one of the two servers cannot be used; says why and what to do.
    """
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    client = open_client(settings.mongodb_url, name=settings.app_id, deadline=deadline)
    await require_suitable(client, settings.mongodb_url)
    database = await Database.connect(settings.postgres_url, name=settings.app_id, deadline=deadline)
    try:
        await require_migrated(database)
        if not settings.allow_unsafe_durability:
            await database.require_durability()
        instance = Instance(settings, database, client)
        await instance.history.follow()
        await instance.lease.begin()
        work = asyncio.create_task(instance.work(), name="work")
        try:
            yield instance
        finally:
            instance.draining = True
            await instance.finish()
            work.cancel()
            await asyncio.wait([work])
            await instance.lease.end()
    finally:
        await database.close()
        await client.close()
