"""Reads a whole log of events with this program: each event, and each user, say, as the fold of its own."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, TypeAlias

import msgspec

from tandem.postgres.database import Database
from tandem.postgres.queries import Query
from tandem.user_command.event_log import StoredEvent, UnreadableEvent, state_after
from tandem.user_command.queries import QUERIES


class Event(Protocol):
    """An event as it is stored."""

    @property
    def version(self) -> int:
        """The version that it is about."""

    @property
    def event_type(self) -> str:
        """Its name."""

    @property
    def format(self) -> int:
        """The format that it is written in."""


#: An id, and one of its events.
EventOf: TypeAlias = tuple[int, Event]


@dataclass(frozen=True)
class Log:
    """The log of one kind, such as users, and how this program reads it."""

    #: What the log is of: one, and many.
    one: str
    many: str
    table: str
    #: A page of the log after the event of an id, version and type: of each event its id, and its columns.
    page: Query
    #: Makes an event of its columns.
    event: Callable[..., Event]
    #: Why these events, all of one, cannot be read; None: they can. It names nothing of what is stored.
    trouble: Callable[[Sequence[Any]], str | None]


class Trouble(msgspec.Struct, frozen=True):
    """One whose events cannot be read, and why; nothing of what is stored."""

    id: int
    why: str


class LogCheck(msgspec.Struct):
    """What was found."""

    #: How many users, or aggregates, have events.
    count: int = 0
    #: Type and format of events to how many there are.
    kinds: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    unreadable: list[Trouble] = []


def _trouble(events: Sequence[StoredEvent]) -> str | None:
    changes = [event for event in events if event.is_change]
    if changes and changes[-1].event_type == "ERASED":
        return None  # nothing is left to be read
    try:
        state_after(changes)
    except UnreadableEvent as error:
        return str(error)
    return None


LOG_OF_USERS = Log("user", "users", "prm_user_event", QUERIES["read_events"], StoredEvent, _trouble)


async def is_there(database: Database, log: Log) -> bool:
    """Whether there is such a log; else its first migration is still to come.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    return bool((await database.fetch(QUERIES["has_table"], log.table))[0]["has"])


async def check_log(
    database: Database, log: Log = LOG_OF_USERS, archived: Iterable[EventOf] = ()
) -> LogCheck:
    """Read all events in order of ids; memory holds a page of them, and the events of one id.

    `archived` are events in files, in order of ids: they come before those of the same id in the log.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    found = LogCheck()
    older = groupby(archived, key=itemgetter(0))
    first = _next_group(older)
    async for events in _groups(database, log):
        while first and first[0][0] < events[0][0]:
            _check(log, first, found)
            first = _next_group(older)
        if first and first[0][0] == events[0][0]:
            _check(log, [*first, *_later(events, first)], found)
            first = _next_group(older)
        else:
            _check(log, events, found)
    while first:
        _check(log, first, found)
        first = _next_group(older)
    return found


def _next_group(groups: Iterator[tuple[int, Iterator[EventOf]]]) -> list[EventOf]:
    return list(next(groups, (0, iter(())))[1])


def _later(events: list[EventOf], archived: list[EventOf]) -> list[EventOf]:
    known = {(event.version, event.event_type) for _, event in archived}
    return [each for each in events if (each[1].version, each[1].event_type) not in known]


async def _groups(database: Database, log: Log) -> AsyncIterator[list[EventOf]]:
    """All events of one id after the other."""
    rest: list[EventOf] = []
    async for page in _pages(database, log):
        each = [list(events) for _, events in groupby([*rest, *page], key=itemgetter(0))]
        # The last one may go on in the next page.
        rest = each.pop()
        for events in each:
            yield events
    if rest:
        yield rest


async def _pages(database: Database, log: Log) -> AsyncIterator[list[EventOf]]:
    place: tuple[int, int, str] = (0, 0, "CREATED")
    while rows := await database.fetch(log.page, *place):
        page = [(id_, log.event(*columns)) for id_, *columns in rows]
        yield page
        id_, last = page[-1]
        place = (id_, last.version, last.event_type)


def _check(log: Log, events_of_one: list[EventOf], found: LogCheck) -> None:
    id_, events = events_of_one[0][0], [event for _, event in events_of_one]
    found.count += 1
    found.kinds.update((event.event_type, event.format) for event in events)
    if (why := log.trouble(events)) is not None:
        found.unreadable.append(Trouble(id_, why))
