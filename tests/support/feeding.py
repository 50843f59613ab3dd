"""Ways to write into a log of events and to read the feed of it."""

from datetime import UTC, datetime

from tandem.cqrs.user import KIND
from tandem.feed.cursor import FIRST_ERA, beginning_of
from tandem.feed.logs import logs_of
from tandem.feed.pages import Wanted
from tandem.feed.reading import Feed

ALL = Wanted()
INSERT = """
INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at, format)
VALUES ($1, $2, $3::text::user_stage, $4, $5, 'test', $6, 2) RETURNING id
"""
BEGINNING = beginning_of(FIRST_ERA)


async def write(connection, user_id, *, version=1, event_type="DELETED", data=None, seed="s"):
    """Write an event of a user; its number in the log."""
    now = datetime.now(UTC)
    return await connection.fetchval(INSERT, user_id, version, event_type, data, seed, now)


def feed_of(database, aggregates=()):
    """The feed of what this database has."""
    return Feed(database, logs_of(aggregates))


async def read_all(feed, after=BEGINNING, wanted=ALL, limit=100):
    """Read to the end; the events, and where it was."""
    events = []
    while True:
        page = await feed.page(after, wanted, limit)
        assert len(page.events) <= limit
        events += page.events
        after = page.cursor
        if page.is_end:
            return events, after


def ids(events, kind=KIND):
    """Which users, or aggregates of a kind, the events are of."""
    return [event.id for event in events if event.kind == kind]
