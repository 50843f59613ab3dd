"""Reads the feed: the events of all logs in one order; none ever comes later before one that was read.

Ids do not give such an order: who takes one first may commit last. The order is that of eras, then of the
transactions that wrote the events (`xid`), then of kinds and ids. An event is shown only when every
transaction before its own has ended (`pg_snapshot_xmin`), since one that is open may still write before it.
Transaction ids belong to one server; so each history after a failover or a restore is an era
(`tandem_feed_era`), told by the events' ids, which never go back.
"""

from collections.abc import Mapping, Sequence

import asyncpg

from tandem.cqrs.user import KIND
from tandem.delivery.flow_state import PATIENCE
from tandem.feed.cursor import FIRST_ERA, Cursor, beginning_of
from tandem.feed.errors import CursorLost, EventsArchived, KindNotServed, UnknownKind
from tandem.feed.logs import FeedLog, feed_queries
from tandem.feed.pages import Ask, Page, Wanted, page_of
from tandem.postgres.database import Database
from tandem.postgres.sessions import Session

_QUERIES = feed_queries(KIND)


class Feed:
    """The feed, as PostgreSQL has it now."""

    def __init__(self, database: Database, logs: Mapping[str, FeedLog]) -> None:
        self._database = database
        self._logs = logs

    async def page(self, after: Cursor, wanted: Wanted, limit: int) -> Page:
        """At most `limit` events after that place. There may be fewer, or none, with more to come.

        Raises:
            CursorLost, EventsArchived, UnknownKind, KindNotServed: see there.
            Unavailable: PostgreSQL does not answer.
        """

        async def read(session: Session) -> Page:
            state = await _state(session)
            logs = self._wanted_logs(wanted, state["kinds"])
            eras = await session.fetch(_QUERIES["eras"].sql, after.era)
            page = await page_of(session, Ask(after, wanted, limit), eras, state["open_from"], logs)
            # Afterwards: so what is moved into files while the page is read is noticed.
            archived = await self._require_unarchived(session, after, wanted)
            if after > archived:
                await self._require_place(session, after, state["era"])
            return page

        return await self._database.transact("feed", read)

    async def now(self) -> Cursor:
        """The place after all events that are shown now.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """

        async def read(session: Session) -> Cursor:
            state = await _state(session)
            places = [beginning_of(state["era"])]
            for log in self._logs.values():
                rows = await session.fetch(log.queries["head"].sql, state["open_from"])
                places += [Cursor(state["era"], row["xid"], log.kind, row["id"]) for row in rows]
            places += [place for _, place, _ in await _archives(session) if place.era == state["era"]]
            return max(places)

        return await self._database.transact("feed", read)

    async def held_back_seconds(self) -> float:
        """How old the oldest event is that is committed and not shown, since a transaction before it is open.

        Raises:
            Unavailable: PostgreSQL does not answer within `PATIENCE`.
        """

        async def read(session: Session) -> float:
            state = await _state(session)
            eras = await session.fetch(_QUERIES["eras"].sql, state["era"])
            above = {row["kind"]: row["last_id"] for row in eras}
            ages = [0.0]
            for log in self._logs.values():
                query = log.queries["held_back"].sql
                rows = await session.fetch(query, state["open_from"], above.get(log.kind, 0))
                ages += [row["seconds"] for row in rows]
            return max(ages)

        return await self._database.transact("feed held back", read, within=PATIENCE)

    def _wanted_logs(self, wanted: Wanted, stored: Sequence[str]) -> list[FeedLog]:
        kinds = sorted({*(wanted.kinds or (*self._logs, *stored))})
        for kind in kinds:
            if kind not in self._logs and kind in stored:
                raise KindNotServed(kind)
            if kind not in self._logs:
                raise UnknownKind(sorted(self._logs))
        return [self._logs[kind] for kind in kinds]

    async def _require_place(self, session: Session, place: Cursor, era: int) -> None:
        """An earlier era may have lost events, and nothing comes to it any more: any place of it will do."""
        lost = place.era > era
        if place.era == era and not place.is_beginning and (log := self._logs.get(place.kind)) is not None:
            lost = not await session.fetchval(log.queries["has"].sql, place.xid, place.id)
        if lost:
            raise CursorLost

    async def _require_unarchived(self, session: Session, after: Cursor, wanted: Wanted) -> Cursor:
        """The last place of what is in files; what the subscriber wants of it is before `after`, or known."""
        archives = await _archives(session)
        unread = [file for number, place, file in archives if number > wanted.archived and place > after]
        if unread and (not wanted.kinds or KIND in wanted.kinds):
            raise EventsArchived(unread, archives[-1][0])
        return max((place for _, place, _ in archives), default=beginning_of(FIRST_ERA))


async def _state(session: Session) -> asyncpg.Record:
    """What may be shown now; see the query."""
    (state,) = await session.fetch(_QUERIES["feed_state"].sql)
    return state


async def _archives(session: Session) -> list[tuple[int, Cursor, str]]:
    """Number, last place and file of each archive of users' events, in order of numbers."""
    rows = await session.fetch(_QUERIES["archived"].sql)
    return [
        (row["number"], Cursor(row["era"], row["xid"], KIND, row["id"]), row["file_name"]) for row in rows
    ]
