"""The document of an aggregate: one pure function, for the fast path and for recovery alike."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import IndexModel

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.messages import Stored
from tandem.mongodb.document import DELETED_AT, Document
from tandem.mongodb.generations import UnknownShape
from tandem.mongodb.indexes import BY_SEED, TOMBSTONES, Index, by_field

logger = logging.getLogger(__name__)

#: What the flow itself puts into a document.
OWN_FIELDS = ("_id", "seed", "appId", "currentStatus", "version", "createdAt", "updatedAt", DELETED_AT)


def document_of(
    aggregate: Aggregate[Any], stored: Stored, related: Mapping[str, Any], shape: int | None = None
) -> Document:
    """What MongoDB holds of it: who it is, then what its author shows of it; of a deleted one a tombstone.

    `shape` is that of the collection that it is for; None: the latest.

    Raises:
        UnknownShape: this program does not know that shape.
        ValueError: the author's fields have one that belongs to the flow.
    """
    document: Document = {
        "_id": stored.id,
        "seed": stored.seed,
        "appId": stored.app_id,
        "currentStatus": "SYNCRONIZED" if stored.state is not None else "DELETED",
        "version": stored.version,
        "createdAt": _text(stored.created_at),
    }
    if stored.state is None:
        return document | {DELETED_AT: datetime.now(UTC)}
    if stored.updated_at is not None:
        document["updatedAt"] = _text(stored.updated_at)
    shown = aggregate.shown(stored.state, related, shape or aggregate.shape)
    if taken := shown.keys() & set(OWN_FIELDS):
        msg = f"its document has the field {min(taken)}, which belongs to the flow"
        raise ValueError(msg)
    return {**document, **shown}


def shown_or_why(
    aggregate: Aggregate[Any], stored: Stored, related: Mapping[str, Any], shape: int
) -> Document | str:
    """Its document; where its author's code cannot show it, why: that is no reason to hold up the others.

    Raises:
        UnknownShape: this program does not know that shape.
    """
    try:
        return document_of(aggregate, stored, related, shape)
    except UnknownShape:
        raise
    except Exception as error:
        # What such an error says may quote the state, so it is for the log alone.
        logger.exception("The document of %s %d cannot be made", aggregate.name, stored.id)
        return f"its document cannot be made: {type(error).__name__}"


def is_somebody_elses(stored: Document, document: Document) -> bool:
    """Whether `stored` is no version of the aggregate whose `document` has the same `_id`.

    That is told by its run and by when it was created, to the microsecond. The content may differ at one
    version, since it shows other things as they were when it was written.
    """
    return not isinstance(stored.get("version"), int) or any(
        stored.get(field) != document[field] for field in ("seed", "createdAt")
    )


def probed_indexes(aggregate: Aggregate[Any]) -> list[Index]:
    """The indexes that its reads walk."""
    return [BY_SEED, *map(by_field, aggregate.listed_by)]


def indexes_of(aggregate: Aggregate[Any]) -> list[IndexModel]:
    """All indexes of its collection."""
    return [*map(IndexModel, probed_indexes(aggregate)), TOMBSTONES]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
