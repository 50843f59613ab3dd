"""The document of a user: one pure function, for the fast path and for recovery alike."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from tandem.mongodb.document import DELETED_AT, Document
from tandem.mongodb.generations import UnknownShape
from tandem.user import StoredUser


def document_of(user: StoredUser, shape: int | None = None) -> Document:
    """What MongoDB holds of `user`: who it is, then its profile in the shape of randomuser.me 1.4.

    `_id` is the user's id, which makes writing it a second time harmless. (`id` is the person's national
    identity, as in the API.) `appId` is the instance that created the user, so that the document follows from
    the user alone, whoever writes it. The status is SYNCRONIZED from the document's only write; that
    PostgreSQL knows of it is recorded there.

    Of a deleted user a tombstone is left. Without it, a late write of an earlier version would bring the user
    back. MongoDB removes tombstones by itself (`mongodb/indexes.py`).

    `shape` is one of `SHAPES`, the latest where none is named. Who changes what a user looks like
    adds one with a new number, and keeps the one before until no collection has it (docs/rebuild.md).

    Raises:
        UnknownShape: a later program has made this shape.
    """
    if user.profile is None:
        return {
            "_id": user.id,
            "seed": user.seed,
            "appId": user.app_id,
            "currentStatus": "DELETED",
            "version": user.version,
            DELETED_AT: datetime.now(UTC),
        }
    make = SHAPES.get(shape or max(SHAPES))
    if make is None:
        raise UnknownShape("users", shape or 0)
    return make(user)


def _first_shape(user: StoredUser) -> Document:
    return {
        "_id": user.id,
        "seed": user.seed,
        "appId": user.app_id,
        "currentStatus": "SYNCRONIZED",
        "version": user.version,
        **msgspec.to_builtins(user.profile),
    }


#: What makes a document of a living user, by the number of the shape.
SHAPES: dict[int, Callable[[StoredUser], Document]] = {1: _first_shape}
