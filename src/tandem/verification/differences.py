"""What can be different between a row of PostgreSQL and a document of MongoDB."""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from bson import json_util

from tandem.mongodb.document import Document


class What(StrEnum):
    """The kinds of difference."""

    #: There is a row, and no document.
    MISSING = "missing"
    #: There is a document, and no row.
    SURPLUS = "surplus"
    #: The same, under an id that a lost history of PostgreSQL gave: the document may be all that is left.
    LOST = "lost"
    #: The document has an earlier version than the row.
    STALE = "stale"
    #: The document has another content at the same version, or a later version, or the row cannot be read.
    DIFFERING = "differing"


class Difference(msgspec.Struct, frozen=True):
    """One difference between the stores."""

    kind: str
    #: The document's `_id` as extended JSON: for numbers just the number.
    id: str
    what: What
    #: That of the row; None where there is none.
    version: int | None = None
    #: The fields that differ, with dots; none where one side has nothing.
    fields: tuple[str, ...] = ()
    #: MongoDB's document, byte for byte.
    stored: bytes | None = None
    #: What it should be.
    document: Document | None = None
    why_unreadable: str = ""


class Tally(msgspec.Struct):
    """What was found, in numbers."""

    checked: int = 0
    equal: int = 0
    #: On their way to MongoDB, so that they cannot be compared.
    pending: int = 0
    #: Dead letters.
    set_aside: int = 0
    differences: Counter[What] = msgspec.field(default_factory=Counter)

    @property
    def is_equal(self) -> bool:
        """Whether there is nothing but what is equal or on its way."""
        return not self.set_aside and not self.differences.total()

    def add(self, other: "Tally") -> None:
        """Add what was found elsewhere."""
        self.checked += other.checked
        self.equal += other.equal
        self.pending += other.pending
        self.set_aside += other.set_aside
        self.differences.update(other.differences)


def id_text(id_: Any) -> str:
    """An `_id` of any type as text, of which `id_of_text` makes the same `_id` again."""
    return (
        str(id_) if _is_integer(id_) else json_util.dumps(id_, json_options=json_util.CANONICAL_JSON_OPTIONS)
    )


def id_of_text(text: str) -> Any:
    """See `id_text`."""
    return json_util.loads(text, json_options=json_util.CANONICAL_JSON_OPTIONS)


def fields_that_differ(
    stored: Mapping[str, Any], expected: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """The names of the fields that are not the same, with dots for those within others."""
    for name in dict.fromkeys((*expected, *stored)):
        if name not in stored or name not in expected:
            yield prefix + name
        elif isinstance(stored[name], dict) and isinstance(expected[name], dict):
            yield from fields_that_differ(stored[name], expected[name], f"{prefix}{name}.")
        elif not _is_same(stored[name], expected[name]):
            yield prefix + name


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one type. Python takes 1, 1.0 and True for the same."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
    return (
        bool(one == other)
        and (_is_integer(one) == _is_integer(other))
        and (type(one) is bool) == (type(other) is bool)
    )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
