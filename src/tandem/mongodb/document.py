"""Documents of every kind: tombstones among them, their versions and ids, and documents as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from bson.decimal128 import Decimal128

Document = dict[str, Any]

#: The field that only tombstones have: when it was written, by the clock of the instance.
DELETED_AT = "deletedAt"


def is_tombstone(document: Mapping[str, Any]) -> bool:
    """Whether this is what is left of something deleted. No reader gets to see it."""
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
