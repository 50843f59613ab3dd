"""The logs that the feed is made of, and how an event of each is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

import msgspec

from tandem.aggregates import events as aggregate_events
from tandem.aggregates.definition import Aggregate
from tandem.cqrs.user import KIND
from tandem.postgres.queries import Query, load_queries
from tandem.user_command import event_log
from tandem.user_command.event_log import UnreadableEvent


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """An event as subscribers get it."""

    #: Where to go on after it.
    cursor: str
    #: The history of the database that it was written in. Another one: events seen before may have been lost.
    history: int
    kind: str
    id: int
    version: int
    type: str
    seed: str
    app_id: str
    created_at: datetime
    #: What it carries, in today's format; null where the type has none, or the person was erased.
    data: Any
    #: Why `data` cannot be read by this instance; null: it can.
    unreadable: str | None


@dataclass(frozen=True)
class FeedLog:
    """The log of one kind."""

    kind: str
    #: The format in which events are written today.
    format: int
    #: The data of a type and format in today's format.
    todays_data: Callable[[str, int, str], Any]

    @property
    def queries(self) -> Mapping[str, Query]:
        """Those of `feed.sql` for this log."""
        return feed_queries(self.kind)

    def shown_data(self, event_type: str, event_format: int, data: str | None) -> tuple[Any, str | None]:
        """The data as it is shown, and why it cannot be; never what is stored."""
        if data is None:
            return None, None
        if event_format == self.format:
            return msgspec.Raw(data.encode()), None
        try:
            return self.todays_data(event_type, event_format, data), None
        except UnreadableEvent as error:
            return None, str(error)
        except Exception as error:
            # An upcaster is its author's code: what it says may quote what is stored.
            return None, f"it cannot be brought to today's format: {type(error).__name__}"


@cache
def feed_queries(kind: str) -> Mapping[str, Query]:
    """The queries of this kind's log."""
    return load_queries(__package__ or "", "feed.sql", kind=kind)


def logs_of(aggregates: Sequence[Aggregate[Any]]) -> dict[str, FeedLog]:
    """The logs of users and of these aggregates, by kind."""
    users = FeedLog(KIND, event_log.FORMAT, event_log.todays_data)
    own = (
        FeedLog(each.name, each.format, partial(aggregate_events.todays_data, each)) for each in aggregates
    )
    return {log.kind: log for log in (users, *own)}
