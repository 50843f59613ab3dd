"""Which kind of aggregate runs are asked about: users, unless `aggregate` names another one."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from tandem.cqrs.user import KIND
from tandem.http.problems import bad_parameter

Part = TypeVar("Part")

AggregateName = Annotated[str, Meta(max_length=20, description="Runs of what: `user`, or an aggregate.")]


class OfKind(msgspec.Struct, frozen=True, kw_only=True):
    """A query that may name a kind of aggregate."""

    aggregate: AggregateName = KIND


def part_of(parts: Mapping[str, Part], query: OfKind) -> Part:
    """The one of these that is about the kind that was asked for.

    Raises:
        ProblemError: 400, there is no such kind; says which there are.
    """
    try:
        return parts[query.aggregate]
    except KeyError:
        raise bad_parameter("aggregate", f"must be one of {', '.join(parts)}") from None
