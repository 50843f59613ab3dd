"""The parts of an instance that talk to the outside: `wire` is given them, and a test may give others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.documents import probed_indexes
from tandem.aggregates.migrate import require_migrated as require_aggregates_migrated
from tandem.aggregates.tasks import ReactionRows
from tandem.app import aggregates as own
from tandem.config import Settings
from tandem.cqrs.user import KIND
from tandem.delivery.lease import Lease
from tandem.delivery.pending import PendingRows
from tandem.mongodb.client import Client, answers, collection_of, open_client, require_suitable
from tandem.postgres.database import READING_CONNECTIONS, Database
from tandem.runs.samples import RunSamples
from tandem.runs.statistics import Statistics
from tandem.user import StoredUser
from tandem.user_command.completeness import Completeness
from tandem.user_command.dead_letters import DeadLetters
from tandem.user_command.history import History
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.schema import require_migrated
from tandem.user_query.database import missing_indexes, users_of
from tandem.user_query.repository import UserQueryRepository
from tandem.user_query.search import UserSearch
from tandem.user_query.witness import Witness


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
    mongodb_answers: Callable[[], Awaitable[bool]]
    #: What MongoDB's collection lacks, in a sentence; empty: nothing.
    missing_indexes: Callable[[], Awaitable[str]]
    #: Those of installed aggregates, by kind.
    own: Mapping[str, own.AggregateAdapters]
    #: What has to follow from events.
    reactions: ReactionRows


def adapters_of(
    settings: Settings, database: Database, client: Client, aggregates: Sequence[Aggregate[Any]] = ()
) -> Adapters:
    """Those of these two connections."""
    reads = database.sharing(READING_CONNECTIONS)
    collection = users_of(client)
    witnesses = {KIND: Witness(collection)}
    witnesses |= {each.name: Witness(collection_of(client, each.plural)) for each in aggregates}

    async def highest_in_mongodb() -> int:
        return max(await asyncio.gather(*(witness.highest_id() for witness in witnesses.values())))

    history = History(database, highest_in_mongodb, [each.name for each in aggregates])
    users = UserCommandRepository(database, settings.app_id, reads)
    of_aggregates = own.adapters_of(aggregates, settings, database, reads, client)
    users.on_taken_id = history.doubt
    for each in of_aggregates.values():
        each.store.on_taken_id = history.doubt
    return Adapters(
        database=database,
        reads=reads,
        lease=Lease(database, settings.app_id, timedelta(seconds=settings.lease_seconds)),
        pending=PendingRows(database, KIND, users.read_pending, reads),
        users=users,
        documents=UserQueryRepository(collection),
        search=UserSearch(collection),
        history=history,
        witnesses=witnesses,
        dead_letters=DeadLetters(reads),
        completeness=Completeness(reads),
        statistics=Statistics(reads),
        samples=RunSamples(reads),
        mongodb_answers=partial(answers, client),
        missing_indexes=partial(
            missing_indexes, client, {each.plural: probed_indexes(each) for each in aggregates}
        ),
        own=of_aggregates,
        reactions=own.tasks_of(aggregates, database),
    )


@asynccontextmanager
async def connected(settings: Settings, aggregates: Sequence[Aggregate[Any]] = ()) -> AsyncIterator[Adapters]:
    """Connect to both databases, and disconnect at the end.

    Raises:
        UnsuitableServer: one of the two servers cannot be used; says why and what to do.
    """
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    client = open_client(settings.mongodb_url, name=settings.app_id, deadline=deadline)
    await require_suitable(client, settings.mongodb_url)
    database = await Database.connect(settings.postgres_url, name=settings.app_id, deadline=deadline)
    try:
        await require_migrated(database)
        await require_aggregates_migrated(database, aggregates)
        if not settings.allow_unsafe_durability:
            await database.require_durability()
        yield adapters_of(settings, database, client, aggregates)
    finally:
        await database.close()
        await client.close()
