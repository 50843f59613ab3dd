"""Reads the whole log of events with this program: each event, and each user as the fold of its events."""

from collections import Counter
from collections.abc import AsyncIterator
from itertools import groupby

import asyncpg
import msgspec

from tandem.cqrs.user import User, evolve
from tandem.postgres.database import Database
from tandem.user_command.event_log import UnreadableEvent, event_of
from tandem.user_command.queries import QUERIES


class Trouble(msgspec.Struct, frozen=True):
    """A user whose events cannot be read, and why; nothing of what is stored."""

    user_id: int
    why: str


class LogCheck(msgspec.Struct):
    """What was found."""

    users: int = 0
    #: Type and format of events to how many there are.
    kinds: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    unreadable: list[Trouble] = []


async def check_log(database: Database) -> LogCheck:
    """Read all events in order of users; memory holds a page of them, and the events of one user.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    found = LogCheck()
    rest: list[asyncpg.Record] = []
    async for page in _pages(database):
        users = [list(events) for _, events in groupby([*rest, *page], key=lambda row: row["user_id"])]
        # The last one may go on in the next page.
        rest = users.pop()
        for events in users:
            _check(events, found)
    if rest:
        _check(rest, found)
    return found


async def _pages(database: Database) -> AsyncIterator[list[asyncpg.Record]]:
    place: tuple[int, int, str] = (0, 0, "CREATED")
    while page := await database.fetch(QUERIES["read_events"], *place):
        yield page
        place = (page[-1]["user_id"], page[-1]["version"], page[-1]["event_type"])


def _check(events: list[asyncpg.Record], found: LogCheck) -> None:
    found.users += 1
    found.kinds.update((row["event_type"], row["format"]) for row in events)
    changes = [row for row in events if row["event_type"] != "SYNCRONIZED"]
    if changes and changes[-1]["event_type"] == "ERASED":
        return  # nothing is left to be read
    user: User | None = None
    for row in changes:
        try:
            user = _next(user, row)
        except (UnreadableEvent, ValueError) as error:
            why = f"version {row['version']}, {row['event_type']}: {error}"
            found.unreadable.append(Trouble(row["user_id"], why))
            return


def _next(user: User | None, row: asyncpg.Record) -> User:
    after = evolve(user, event_of(row["event_type"], row["format"], row["event_data"]))
    if after.version != row["version"]:
        raise UnreadableEvent(f"{after.version} is missing before it")
    return after
