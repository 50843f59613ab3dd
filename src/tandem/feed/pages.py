"""A page of one era: what each log has of it, merged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import asyncpg
import msgspec

from tandem.feed.cursor import FIRST_ERA, Cursor, beginning_of
from tandem.feed.logs import FeedEvent, FeedLog
from tandem.ids import HIGHEST_ID
from tandem.postgres.sessions import Session

# So many events are looked at for a page of those that are asked for, in each log.
MOST_LOOKED_AT = 5_000
# Higher than any transaction.
_BEYOND = 2**62


class Wanted(msgspec.Struct, frozen=True):
    """Which events; without values all."""

    seed: str | None = None
    kinds: Sequence[str] = ()
    types: Sequence[str] = ()
    #: The number of the last archive whose events the subscriber has from its file.
    archived: int = 0


class Page(NamedTuple):
    """Some events, and where to go on after them."""

    events: Sequence[FeedEvent]
    cursor: Cursor
    #: Nothing follows for now.
    is_end: bool


class Range(NamedTuple):
    """What of a log belongs to an era: ids above and up to, transactions from and below."""

    above_id: int
    up_to_id: int
    from_xid: int
    below_xid: int


@dataclass(frozen=True)
class Ask:
    """What a page shall have: at most `limit` of what is wanted, after a place of an era."""

    after: Cursor
    wanted: Wanted
    limit: int

    @property
    def look_at(self) -> int:
        """How many events of a log are looked at."""
        passes_all = self.wanted.seed is None and not self.wanted.types and self.after.era == FIRST_ERA
        return self.limit if passes_all else max(self.limit, MOST_LOOKED_AT)


class _Row(NamedTuple):
    place: Cursor
    log: FeedLog
    record: asyncpg.Record


def ranges_of(
    era: int, eras: Sequence[asyncpg.Record], open_from: int, logs: Iterable[FeedLog]
) -> list[tuple[FeedLog, Range]]:
    """What of each log belongs to this era; of an earlier one, all that it had when the next one began."""
    began = {row["kind"]: row for row in eras if row["number"] == era}
    following = min((row["number"] for row in eras if row["number"] > era), default=None)
    ended = {row["kind"]: row for row in eras if row["number"] == following}
    ranges = []
    for log in logs:
        above_id, from_xid = 0, 0
        if log.kind in began:
            above_id, from_xid = began[log.kind]["last_id"], began[log.kind]["first_xid"]
        if following is None:
            ranges.append((log, Range(above_id, HIGHEST_ID, from_xid, open_from)))
        elif log.kind in ended:
            end = ended[log.kind]
            ranges.append((log, Range(above_id, end["last_id"], from_xid, end["last_xid"] + 1)))
    return ranges


async def page_of(
    session: Session, ask: Ask, eras: Sequence[asyncpg.Record], open_from: int, logs: Sequence[FeedLog]
) -> Page:
    """The page, of its era or, where that has nothing more, of the one after it.

    `eras` are the rows of this era and of later ones; no transaction below `open_from` is open.

    Raises:
        PostgresError: PostgreSQL does not answer.
    """
    while True:
        ranges = ranges_of(ask.after.era, eras, open_from, logs)
        page = await page_of_era(session, ask, ranges)
        following = next((row["number"] for row in eras if row["number"] > ask.after.era), None)
        if following is None:
            return page
        if page.events or not page.is_end:
            return page._replace(is_end=False)
        ask = replace(ask, after=beginning_of(following))


async def page_of_era(session: Session, ask: Ask, ranges: Iterable[tuple[FeedLog, Range]]) -> Page:
    """The page, of these ranges of logs.

    Raises:
        PostgresError: PostgreSQL does not answer.
    """
    rows: list[_Row] = []
    # Where the first of the logs that have more to come was left: other logs may have gone further.
    horizon = ask.after._replace(xid=_BEYOND)
    for log, range_ in ranges:
        of_log = await _rows_of(session, ask, log, range_)
        rows += of_log
        if of_log and not of_log[-1].record["is_last"]:
            horizon = min(horizon, of_log[-1].place)
    rows = sorted((row for row in rows if row.place <= horizon), key=attrgetter("place"))
    matching = [number for number, row in enumerate(rows) if row.record["matches"]]
    is_end = horizon.xid == _BEYOND
    if len(matching) > ask.limit:
        rows, is_end = rows[: matching[ask.limit - 1] + 1], False
    events = [_shown(row) for row in rows if row.record["matches"]]
    return Page(events, rows[-1].place if rows else ask.after, is_end)


async def _rows_of(session: Session, ask: Ask, log: FeedLog, range_: Range) -> list[_Row]:
    xid, id_ = max(_before(ask.after, log.kind), (range_.from_xid, 0))
    rows = await session.fetch(
        log.queries["page"].sql,
        *(xid, id_, range_.below_xid, ask.look_at, range_.above_id, range_.up_to_id),
        *(ask.wanted.seed, list(ask.wanted.types) or None, ask.limit),
    )
    return [_Row(Cursor(ask.after.era, row["xid"], log.kind, row["id"]), log, row) for row in rows]


def _before(after: Cursor, kind: str) -> tuple[int, int]:
    """The last place in this kind's log that is not after the cursor: a transaction may write several."""
    if kind == after.kind:
        return after.xid, after.id
    return after.xid, HIGHEST_ID if kind < after.kind else 0


def _shown(row: _Row) -> FeedEvent:
    record = row.record
    data, unreadable = row.log.shown_data(record["event_type"], record["format"], record["data"])
    return FeedEvent(
        cursor=str(row.place),
        history=row.place.era,
        kind=row.log.kind,
        id=record["of"],
        version=record["version"],
        type=record["event_type"],
        seed=record["seed"],
        app_id=record["app_id"],
        created_at=record["created_at"],
        data=data,
        unreadable=unreadable,
    )
