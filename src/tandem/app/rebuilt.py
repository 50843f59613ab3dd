"""What can be rebuilt: users, and every installed aggregate by the same code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pymongo import IndexModel

from tandem.aggregates.documents import indexes_of
from tandem.app.adapters import Adapters
from tandem.app.aggregates import others_of
from tandem.app.verification import aggregate_to_verify, users_to_verify
from tandem.cqrs.user import KIND
from tandem.mongodb.documents import Documents
from tandem.mongodb.generations import Collections, Generation
from tandem.user_query.document import SHAPES
from tandem.user_query.indexes import INDEXES
from tandem.verification.kinds import VerifiedKind


@dataclass(frozen=True, kw_only=True)
class RebuiltKind:
    """A kind, and how its collections are made and compared."""

    kind: str
    #: The latest shape that this program makes.
    shape: int
    collections: Collections
    indexes: Sequence[IndexModel]
    documents: Documents
    #: What a generation is made of, and compared by.
    of: Callable[[Generation], VerifiedKind]

    @property
    def plural(self) -> str:
        """As people say: "users"."""
        return self.collections.plural


def kinds_to_rebuild(adapters: Adapters) -> dict[str, RebuiltKind]:
    """Users and installed aggregates, by their plurals."""
    database = adapters.database
    users = RebuiltKind(
        kind=KIND,
        shape=max(SHAPES),
        collections=adapters.projections.collections[KIND],
        indexes=INDEXES,
        documents=adapters.documents,
        of=lambda generation: users_to_verify(database, adapters.documents.collections, generation),
    )
    others = others_of(database, adapters.users.read, adapters.own)
    own = [
        RebuiltKind(
            kind=kind,
            shape=each.aggregate.shape,
            collections=each.documents.collections,
            indexes=indexes_of(each.aggregate),
            documents=each.documents,
            of=partial(aggregate_to_verify, database, each, others),
        )
        for kind, each in adapters.own.items()
    ]
    return {each.plural: each for each in [users, *own]}
