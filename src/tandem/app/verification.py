"""What is verified: users, and every installed aggregate by the same code."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.others import OtherStates, existing_in
from tandem.aggregates.source import AggregateRowsSource
from tandem.aggregates.verified import Shown
from tandem.app.adapters import Adapters
from tandem.cqrs.user import KIND
from tandem.mongodb.client import Client, collection_of
from tandem.mongodb.document import DELETED_AT, Document
from tandem.mongodb.stored import StoredDocuments
from tandem.postgres.database import Database
from tandem.user import StoredUser
from tandem.user.patch import pruned
from tandem.user_command.source import UserRowsSource
from tandem.user_query.database import users_of
from tandem.user_query.document import document_of
from tandem.verification.kinds import VerifiedKind


async def _documents_of(users: Sequence[StoredUser]) -> Sequence[Document]:
    return [document_of(user) for user in users]


def _time_of_tombstone(_: StoredUser, __: Document) -> set[str]:
    return {DELETED_AT}


def users_to_verify(database: Database, client: Client) -> VerifiedKind:
    """Users. Objects without any value count as absent, as programs before version 0.2 wrote them."""
    return VerifiedKind(
        kind=KIND,
        plural="users",
        source=UserRowsSource(database),
        documents=StoredDocuments(users_of(client)),
        documents_of=_documents_of,
        free_fields=_time_of_tombstone,
        normal=pruned,
    )


def kinds_to_verify(
    adapters: Adapters, client: Client, aggregates: Sequence[Aggregate[Any]]
) -> list[VerifiedKind]:
    """Users and these aggregates, by connections of which people's questions take no share."""
    database = adapters.database
    stores = {kind: each.store for kind, each in adapters.own.items()}
    others = OtherStates(adapters.users.read, stores, partial(existing_in, database))
    kinds = [users_to_verify(database, client)]
    for each in aggregates:
        shown = Shown(each, others)
        kinds.append(
            VerifiedKind(
                kind=each.name,
                plural=each.plural,
                source=AggregateRowsSource(each, database),
                documents=StoredDocuments(collection_of(client, each.plural)),
                documents_of=shown.documents_of,
                free_fields=shown.free_fields,
            )
        )
    return kinds
