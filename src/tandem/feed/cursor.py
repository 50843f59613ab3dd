"""Where a subscriber is in the feed."""

import re
from typing import NamedTuple

#: Until the first failover or restore, all events are of this era.
FIRST_ERA = 1

_CURSOR = re.compile(r"1-([0-9]{1,9})-([0-9]{1,18})-([a-z_]{0,60})-([0-9]{1,18})", re.ASCII)


class Cursor(NamedTuple):
    """The place of an event in the order of all; or the place before an era's first."""

    #: The history of the database that the event was written in.
    era: int
    #: The transaction that has written it.
    xid: int
    kind: str
    #: The event's number in the log of its kind.
    id: int

    def __str__(self) -> str:
        return f"1-{self.era}-{self.xid}-{self.kind}-{self.id}"

    @property
    def is_beginning(self) -> bool:
        """Whether it names no event, but the beginning of an era."""
        return not self.kind


def beginning_of(era: int) -> Cursor:
    """The place before an era's first event."""
    return Cursor(era, 0, "", 0)


def cursor_of(text: str) -> Cursor | None:
    """The cursor that was written like this; None: it is none."""
    found = _CURSOR.fullmatch(text)
    return Cursor(int(found[1]), int(found[2]), found[3], int(found[4])) if found else None
