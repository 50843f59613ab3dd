"""The document of a user: one pure function, for the fast path and for recovery alike."""

from datetime import UTC, datetime

import msgspec

from tandem.mongodb.document import DELETED_AT, Document
from tandem.user import StoredUser


def document_of(user: StoredUser) -> Document:
    """What MongoDB holds of `user`: who it is, then its profile in the shape of randomuser.me 1.4.

    `_id` is the user's id, which makes writing it a second time harmless. (`id` is the person's national
    identity, as in the API.) `appId` is the instance that created the user, so that the document follows from
    the user alone, whoever writes it. The status is SYNCRONIZED from the document's only write; that
    PostgreSQL knows of it is recorded there.

    Of a deleted user a tombstone is left. Without it, a late write of an earlier version would bring the user
    back. MongoDB removes tombstones by itself (`mongodb/indexes.py`).

    Whoever changes this shape: a document that is there already is compared with a new one (`identity.py`).
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
    return {
        "_id": user.id,
        "seed": user.seed,
        "appId": user.app_id,
        "currentStatus": "SYNCRONIZED",
        "version": user.version,
        **msgspec.to_builtins(user.profile),
    }
