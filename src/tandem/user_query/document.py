"""The document of a user: one pure function, for the fast path and for recovery alike."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from bson.decimal128 import Decimal128

from tandem.user import StoredUser

Document = dict[str, Any]

#: The field that only tombstones have: when it was written, by the clock of the instance.
DELETED_AT = "deletedAt"


def document_of(user: StoredUser) -> Document:
    """What MongoDB holds of `user`: who it is, then its profile in the shape of randomuser.me 1.4.

    `_id` is the user's id, which makes writing it a second time harmless. (`id` is the person's national
    identity, as in the API.) `appId` is the instance that created the user, so that the document follows from
    the user alone, whoever writes it. The status is SYNCRONIZED from the document's only write; that
    PostgreSQL knows of it is recorded there.

    Of a deleted user a tombstone is left. Without it, a late write of an earlier version would bring the user
    back. MongoDB removes tombstones by itself (`indexes.py`).

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


def is_tombstone(document: Mapping[str, Any]) -> bool:
    """Whether this is what is left of a deleted user. No reader gets to see it."""
    return DELETED_AT in document


def version_of(document: Document) -> int:
    """Its version; 0 where somebody else's document has none that is a number."""
    version = document.get("version")
    return version if isinstance(version, int) else 0


def id_of(document: Mapping[str, Any]) -> int:
    """Its `_id` as an integer. Somebody else's document may have the same number as another BSON type."""
    value = document["_id"]
    return int(value.to_decimal() if isinstance(value, Decimal128) else value)


def _plain(value: object) -> object:
    """What JSON can say of a BSON type that is none of Python's own.

    Ids above 2^31 come as `Int64`. The rest only stands in documents that somebody wrote by hand: they are
    shown as text, so that one of them does not spoil a whole list.
    """
    if isinstance(value, int):
        return int(value)
    return bytes(value) if isinstance(value, bytes) else str(value)


#: A document as JSON, in bytes.
encode_document = msgspec.json.Encoder(enc_hook=_plain).encode
