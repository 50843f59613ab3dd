"""What is still there of a user, place by place: to show that a person is forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tandem.postgres.database import Database
from tandem.user_command.archived_events import ArchivedEvents
from tandem.user_command.queries import QUERIES

# What may stay of an erased user: that somebody of this id and run existed, and what happened when. A key is
# kept as a hash of what the client had chosen; it keeps a late repeat from creating the person anew.
NOT_PERSONAL = frozenset(
    (
        "_id",
        "app_id",
        "appId",
        "created_at",
        "currentStatus",
        "deletedAt",
        "event_type",
        "format",
        "id",
        "incarnation",
        "key",
        "seed",
        "status",
        "updated_at",
        "user_id",
        "version",
        "xid",
    )
)


class Place(msgspec.Struct, frozen=True, rename="camel"):
    """A table or collection: how much it has of the user, and which fields tell of the person."""

    store: str
    name: str
    count: int
    personal_fields: list[str]


async def places_in_postgresql(database: Database, user_id: int) -> list[Place]:
    """Every table that can have rows of a user, with what it has of this one.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in await database.fetch(QUERIES["rows_of_user"], user_id):
        rows = found.setdefault(row["name"], [])
        if row["fields"] is not None:
            rows.append(msgspec.json.decode(row["fields"]))
    return [place_of("PostgreSQL", name, rows) for name, rows in found.items()]


async def places_in_archive(archived: ArchivedEvents, user_id: int) -> list[Place]:
    """The files of `tandem events archive`, as one place, with what they have of a user; none if nothing.

    Raises:
        ArchiveAway: a file cannot be read here.
        Unavailable: PostgreSQL does not answer.
    """
    events = await archived.find(user_id)
    rows = [{"event_data": event.data, "traceparent": event.traceparent} for event in events]
    return [place_of("files", "archived events", rows)] if rows else []


def place_of(store: str, name: str, rows: Sequence[Mapping[str, Any]]) -> Place:
    """What these rows or documents tell of the person: the names of their fields that hold something."""
    fields = {field for row in rows for field, value in row.items() if value not in (None, "")}
    return Place(store, name, len(rows), sorted(fields - NOT_PERSONAL))
