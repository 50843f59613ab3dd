"""What is verified: users, and every installed aggregate by the same code."""

from collections.abc import Mapping, Sequence

from tandem.aggregates.others import OtherStates
from tandem.aggregates.source import rows_of
from tandem.aggregates.verified import Shown
from tandem.app.aggregates import AggregateAdapters, others_of
from tandem.cqrs.user import KIND
from tandem.mongodb.document import DELETED_AT, Document
from tandem.mongodb.generations import Collections, Generation
from tandem.mongodb.stored import StoredDocuments
from tandem.postgres.database import Database
from tandem.user import StoredUser
from tandem.user.patch import pruned
from tandem.user_command.repository import UserCommandRepository
from tandem.user_command.source import rows_of_users
from tandem.user_query.document import document_of
from tandem.verification.kinds import VerifiedKind


def users_to_verify(
    database: Database, collections: Collections, generation: Generation | None = None
) -> VerifiedKind:
    """Users, as they are in this generation, or in the one that is live.

    Objects without any value count as absent, as programs before version 0.2 wrote them.
    """

    async def documents_of(users: Sequence[StoredUser]) -> Sequence[Document]:
        shape = (generation or collections.projection.live).shape
        return [document_of(user, shape) for user in users]

    return VerifiedKind(
        kind=KIND,
        plural=collections.plural,
        source=rows_of_users(database),
        documents=_stored(collections, generation),
        documents_of=documents_of,
        free_fields=_time_of_tombstone,
        normal=pruned,
    )


def aggregate_to_verify(
    database: Database, own: AggregateAdapters, others: OtherStates, generation: Generation | None = None
) -> VerifiedKind:
    """One kind of installed aggregates, as `users_to_verify`."""
    collections = own.documents.collections

    def shape() -> int:
        return (generation or collections.projection.live).shape

    shown = Shown(own.aggregate, others, shape)
    return VerifiedKind(
        kind=own.aggregate.name,
        plural=own.aggregate.plural,
        source=rows_of(own.aggregate, database),
        documents=_stored(collections, generation),
        documents_of=shown.documents_of,
        free_fields=shown.free_fields,
    )


def kinds_to_verify(
    database: Database,
    collections: Collections,
    users: UserCommandRepository,
    own: Mapping[str, AggregateAdapters],
) -> dict[str, VerifiedKind]:
    """Users, which are in these collections, and installed aggregates, by kind; of each what is live."""
    others = others_of(database, users.read, own)
    kinds = {KIND: users_to_verify(database, collections)}
    return kinds | {kind: aggregate_to_verify(database, each, others) for kind, each in own.items()}


def _stored(collections: Collections, generation: Generation | None) -> StoredDocuments:
    return StoredDocuments(lambda: collections.of(generation or collections.projection.live))


def _time_of_tombstone(_: StoredUser, __: Document) -> set[str]:
    return {DELETED_AT}
