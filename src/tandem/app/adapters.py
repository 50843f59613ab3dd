"""The parts of an instance that talk to the outside: `wire` is given them, and a test may give others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.documents import probed_indexes
from tandem.aggregates.migrate import require_migrated as require_aggregates_migrated
from tandem.aggregates.tasks import ReactionRows
from tandem.app import aggregates as own
from tandem.app.verification import kinds_to_verify
from tandem.config import Settings
from tandem.config.cells import WatchedCells
from tandem.cqrs.user import KIND
from tandem.delivery.lease import Lease
from tandem.delivery.pending import PendingRows
from tandem.feed.logs import logs_of
from tandem.feed.reading import Feed
from tandem.mongodb.client import (
    Client,
    answers,
    collection_of,
    is_url,
    missing_indexes,
    open_client,
    require_suitable,
)
from tandem.mongodb.generations import Collections
from tandem.postgres.database import CONNECTIONS, READING_CONNECTIONS, Database
from tandem.projections.followed import Projections
from tandem.runs.samples import RunSamples
from tandem.runs.statistics import Statistics
from tandem.user import StoredUser
from tandem.user_command.cell import require_cell
from tandem.user_command.completeness import Completeness
from tandem.user_command.dead_letters import DeadLetters
from tandem.user_command.history import History
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.schema import require_migrated
from tandem.user_query.database import PROBED, users_of
from tandem.user_query.document import SHAPES
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import UserSearch
from tandem.user_query.witness import Witness
from tandem.verification.chunks import ChunkRows
from tandem.verification.kinds import VerifiedKind
from tandem.verification.repairs import RepairRows


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """Everything that talks to PostgreSQL and MongoDB, connected and ready."""

    database: Database
    #: The same sessions, of which what people ask may take a share.
    reads: Database
    lease: Lease
    pending: PendingRows[StoredUser]
    #: Users in PostgreSQL.
    users: UserCommandRepository
    #: Users in MongoDB.
    documents: UserQueryRepository
    search: UserSearch
    history: History
    #: Of each kind.
    witnesses: Mapping[str, Witness]
    dead_letters: DeadLetters
    completeness: Completeness
    statistics: Statistics
    samples: RunSamples
    feed: Feed
    mongodb_answers: Callable[[], Awaitable[bool]]
    #: What MongoDB's collection lacks, in a sentence; empty: nothing.
    missing_indexes: Callable[[], Awaitable[str]]
    #: Those of installed aggregates, by kind.
    own: Mapping[str, own.AggregateAdapters]
    #: What has to follow from events.
    reactions: ReactionRows
    #: Where the documents of each kind are.
    projections: Projections
    #: What is verified, by kind.
    verified: Mapping[str, VerifiedKind]
    repairs: RepairRows
    chunks: ChunkRows
    #: The file that lists all cells; None where no file is named.
    cells: WatchedCells | None


def adapters_of(
    settings: Settings, database: Database, client: Client, aggregates: Sequence[Aggregate[Any]] = ()
) -> Adapters:
    """Those of these two connections.

    Raises:
        SettingsError: the file of all cells cannot be used.
    """
    reads = database.sharing(READING_CONNECTIONS)
    collections = {KIND: Collections(users_of(client))}
    collections |= {each.name: Collections(collection_of(client, each.plural)) for each in aggregates}
    shapes = {KIND: max(SHAPES)} | {each.name: each.shape for each in aggregates}
    lease = Lease(database, settings.app_id, timedelta(seconds=settings.lease_seconds), shapes)
    for each in collections.values():
        each.is_current = lambda: lease.is_current
    witnesses = {kind: Witness(each) for kind, each in collections.items()}

    async def highest_in_mongodb() -> int:
        return max(await asyncio.gather(*(witness.highest_id() for witness in witnesses.values())))

    history = History(database, highest_in_mongodb, [each.name for each in aggregates])
    users = UserCommandRepository(database, settings.app_id, reads, settings.event_archive_dir)
    of_aggregates = own.adapters_of(aggregates, settings, database, reads, collections)
    users.on_taken_id = history.doubt
    for of_kind in of_aggregates.values():
        of_kind.store.on_taken_id = history.doubt
    return Adapters(
        database=database,
        reads=reads,
        lease=lease,
        pending=PendingRows(database, KIND, users.read_pending, reads),
        users=users,
        documents=UserQueryRepository(collections[KIND]),
        search=UserSearch(collections[KIND]),
        history=history,
        witnesses=witnesses,
        dead_letters=DeadLetters(reads),
        completeness=Completeness(reads),
        statistics=Statistics(reads),
        samples=RunSamples(reads),
        feed=Feed(reads, logs_of(aggregates)),
        mongodb_answers=partial(answers, client),
        missing_indexes=partial(_missing_indexes, client, collections, aggregates),
        own=of_aggregates,
        reactions=own.tasks_of(aggregates, database),
        projections=Projections(database, collections, shapes),
        chunks=ChunkRows(database, list(collections)),
        cells=WatchedCells(Path(settings.cells_file), is_url) if settings.cells_file else None,
        verified=kinds_to_verify(database, collections[KIND], users, of_aggregates),
        repairs=RepairRows(database),
    )


async def _missing_indexes(
    client: Client, collections: Mapping[str, Collections], aggregates: Sequence[Aggregate[Any]]
) -> str:
    """What the collections that are read or written lack, as the beginning of a sentence."""
    wanted = {KIND: PROBED} | {each.name: probed_indexes(each) for each in aggregates}
    return await missing_indexes(
        client, {name: wanted[kind] for kind, each in collections.items() for name in each.names}
    )


@asynccontextmanager
async def connected(
    settings: Settings,
    aggregates: Sequence[Aggregate[Any]] = (),
    *,
    name: str | None = None,
    connections: int = CONNECTIONS,
) -> AsyncIterator[Adapters]:
    """Connect to both databases, and disconnect at the end.

    `name` is that of a command that works with both; None: an instance, which serves under its own.

    Raises:
        UnsuitableServer: one of the two servers cannot be used; says why and what to do.
    """
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    called = name or settings.app_id
    client = open_client(settings.mongodb_url, name=called, deadline=deadline)
    try:
        await require_suitable(client, settings.mongodb_url)
        database = await Database.connect(
            settings.postgres_url, name=called, deadline=deadline, connections=connections
        )
        try:
            await require_migrated(database)
            await require_aggregates_migrated(database, aggregates)
            if name is None:
                await require_cell(database, settings.cell)
                if not settings.allow_unsafe_durability:
                    await database.require_durability()
                if settings.require_synchronous_standby:
                    await database.require_standby()
            adapters = adapters_of(settings, database, client, aggregates)
            await adapters.projections.require_known_shapes()
            yield adapters
        finally:
            await database.close()
    finally:
        await client.close()
