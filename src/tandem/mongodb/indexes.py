"""The indexes that reads of every kind walk, and what is said where one is missing.

Every read names its index (`hint`). Where a collection was dropped or restored without it, MongoDB would else
look at each document, for every batch of reads, and slow down the flow beside them.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import OperationFailure

from tandem.kernel import Unavailable
from tandem.mongodb.document import DELETED_AT, Document

NO_SUCH_INDEX = "hint provided does not correspond to an existing index"

Index = list[tuple[str, int]]

BY_ID: Index = [("_id", ASCENDING)]
BY_SEED: Index = [("seed", ASCENDING), ("_id", ASCENDING)]


def by_field(field: str) -> Index:
    """The index that lists of documents with one value in this field walk, in order of ids."""
    return [(field, ASCENDING), ("_id", ASCENDING)]


#: How long a tombstone stays: by far longer than any version is on its way here
#: (`user_query/service.py`, `LONGEST_WAY_SECONDS`).
TOMBSTONES_STAY = timedelta(days=1)

# MongoDB removes what has grown older. Only tombstones have the field, so all else costs this index nothing.
TOMBSTONES = IndexModel(
    [(DELETED_AT, ASCENDING)],
    expireAfterSeconds=int(TOMBSTONES_STAY.total_seconds()),
    partialFilterExpression={DELETED_AT: {"$exists": True}},
)

MISSING = (
    "MongoDB's collection of {things} lacks an index: it was dropped, or restored without it. "
    "`tandem migrate` makes the index again; until that is done, this cannot be answered."
)


class MissingIndex(Unavailable):
    """A read needs an index that is not there. `tandem migrate` makes it."""

    def __init__(self, things: str = "users") -> None:
        super().__init__(MISSING.format(things=things))


def says_index_is_missing(error: Exception) -> bool:
    """Whether MongoDB refused a query since the index that it names is not there."""
    return isinstance(error, OperationFailure) and NO_SUCH_INDEX in str((error.details or {}).get("errmsg"))


def probe_of(collection: str, index: Index) -> dict[str, Any]:
    """A command that fails where the index is missing. The service may not list indexes."""
    find = {"find": collection, "filter": {}, "hint": dict(index), "limit": 1}
    return {"explain": find, "verbosity": "queryPlanner"}


def has_collection(explained: Mapping[str, Any]) -> bool:
    """Whether there is a collection at all, by the answer to `probe_of`: of none, nothing is read."""
    plan: Document = explained["queryPlanner"]["winningPlan"]
    return plan.get("stage") != "EOF" and plan.get("queryPlan", {}).get("stage") != "EOF"
