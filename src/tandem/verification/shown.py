"""Differences as people and programs are shown them: values only where they were asked for."""

from collections.abc import Mapping
from typing import Any

import msgspec
from bson import json_util

from tandem.mongodb.stored import opened
from tandem.verification.differences import Difference

# Of each difference. A document that somebody has put in may have thousands.
MOST_FIELDS = 10


class Sides(msgspec.Struct, frozen=True, rename="camel"):
    """The value of a field in both stores, as extended JSON; None where it has none."""

    postgresql: str | None
    mongodb: str | None


class ShownDifference(msgspec.Struct, frozen=True, rename="camel"):
    """One difference."""

    id: str
    what: str
    version: int | None
    #: The first fields that differ.
    fields: tuple[str, ...]
    #: Why the row cannot be read; empty: it can.
    why_unreadable: str = ""
    #: Of each field; None where it was not asked for.
    values: Mapping[str, Sides] | None = None

    @property
    def how(self) -> str:
        """What differs, in a line."""
        if self.values is None:
            return self.why_unreadable or ", ".join(self.fields)
        sides = [f"{name}: {each.postgresql} / {each.mongodb}" for name, each in self.values.items()]
        return self.why_unreadable or ", ".join(sides)


def shown(difference: Difference, *, values: bool) -> ShownDifference:
    """The difference, with the values of its fields or without."""
    fields = difference.fields[:MOST_FIELDS]
    found = None
    if values and difference.stored is not None and difference.document is not None:
        stored = opened(difference.stored)
        found = {name: Sides(_value(difference.document, name), _value(stored, name)) for name in fields}
    columns = (difference.id, difference.what.value, difference.version, fields, difference.why_unreadable)
    return ShownDifference(*columns, found)


def _value(document: Mapping[str, Any], name: str) -> str | None:
    value: Any = document
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS)
