"""Reads the whole log of events with this program: each event, and each user as the fold of its events."""

from collections import Counter
from collections.abc import AsyncIterator
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import msgspec

from tandem.postgres.database import Database
from tandem.user_command.event_log import StoredEvent, UnreadableEvent, state_after
from tandem.user_command.queries import QUERIES

#: A user's id, and one of its events.
UsersEvent: TypeAlias = tuple[int, StoredEvent]


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
    rest: list[UsersEvent] = []
    async for page in _pages(database):
        users = [list(events) for _, events in groupby([*rest, *page], key=itemgetter(0))]
        # The last one may go on in the next page.
        rest = users.pop()
        for events in users:
            _check(events, found)
    if rest:
        _check(rest, found)
    return found


async def _pages(database: Database) -> AsyncIterator[list[UsersEvent]]:
    place: tuple[int, int, str] = (0, 0, "CREATED")
    while rows := await database.fetch(QUERIES["read_events"], *place):
        page = [(user_id, StoredEvent(*columns)) for user_id, *columns in rows]
        yield page
        user_id, last = page[-1]
        place = (user_id, last.version, last.event_type)


def _check(users_events: list[UsersEvent], found: LogCheck) -> None:
    user_id, events = users_events[0][0], [event for _, event in users_events]
    found.users += 1
    found.kinds.update((event.event_type, event.format) for event in events)
    changes = [event for event in events if event.is_change]
    if changes and changes[-1].event_type == "ERASED":
        return  # nothing is left to be read
    try:
        state_after(changes)
    except UnreadableEvent as error:
        found.unreadable.append(Trouble(user_id, str(error)))
