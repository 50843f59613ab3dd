"""Reads the feed: the events of all logs in one order; none ever comes later before one that was read.

Ids do not give such an order: who takes one first may commit last. The order is that of eras, then of the
transactions that wrote the events (`xid`), then of kinds and ids. An event is shown only when every
transaction before its own has ended (`pg_snapshot_xmin`), since one that is open may still write before it.
Transaction ids belong to one server; so each history after a failover or a restore is an era
(`tandem_feed_era`), told by the events' ids, which never go back.
"""

from collections.abc import Mapping, Sequence

from tandem.errors import TandemError
from tandem.feed.cursor import Cursor, beginning_of
from tandem.feed.logs import FeedLog, feed_queries
from tandem.feed.pages import Ask, Page, Wanted, page_of_era, ranges_of
from tandem.postgres.database import Database
from tandem.postgres.sessions import Session

_QUERIES = feed_queries("user")


class CursorLost(TandemError):
    """The event that a cursor names is not there: PostgreSQL was brought back to a state before it."""

    def __init__(self) -> None:
        super().__init__(
            "The event of this cursor is not there any more: PostgreSQL was brought back to a state before "
            "it. Begin anew without `after`, with an empty store; docs/feed.md has more."
        )


class UnknownKind(TandemError):
    """The feed was asked for a kind that there is not."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(f"names a kind that there is not: there are {', '.join(kinds)}")


class KindNotServed(TandemError):
    """The database has the log of a kind that this program does not know."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"The database has events of {kind!r}, which this instance does not know: it is being deployed, "
            "or was removed. Try again in a moment; if it was removed, name the other kinds by `kind`."
        )


class Feed:
    """The feed, as PostgreSQL has it now."""

    def __init__(self, database: Database, logs: Mapping[str, FeedLog]) -> None:
        self._database = database
        self._logs = logs

    async def page(self, after: Cursor, wanted: Wanted, limit: int) -> Page:
        """At most `limit` events after that place. There may be fewer, or none, with more to come.

        Raises:
            CursorLost, UnknownKind, KindNotServed: see there.
            Unavailable: PostgreSQL does not answer.
        """

        async def read(session: Session) -> Page:
            state = await session.fetchrow(_QUERIES["feed_state"].sql)
            assert state is not None  # noqa: S101 - narrows the type: the query has one row
            logs = self._wanted_logs(wanted, state["kinds"])
            await self._require_place(session, after, state["era"])
            eras = await session.fetch(_QUERIES["eras"].sql, after.era)
            place = after
            while True:
                ranges = ranges_of(place.era, eras, state["open_from"], logs)
                page = await page_of_era(session, Ask(place, wanted, limit), ranges)
                following = next((row["number"] for row in eras if row["number"] > place.era), None)
                if following is None:
                    return page
                if page.events or not page.is_end:
                    return page._replace(is_end=False)
                place = beginning_of(following)

        return await self._database.transact("feed", read)

    async def now(self) -> Cursor:
        """The place after all events that are shown now.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """

        async def read(session: Session) -> Cursor:
            state = await session.fetchrow(_QUERIES["feed_state"].sql)
            assert state is not None  # noqa: S101 - narrows the type: the query has one row
            places = [beginning_of(state["era"])]
            for log in self._logs.values():
                rows = await session.fetch(log.queries["head"].sql, state["open_from"])
                places += [Cursor(state["era"], row["xid"], log.kind, row["id"]) for row in rows]
            return max(places)

        return await self._database.transact("feed", read)

    async def held_back_seconds(self) -> float:
        """How old the oldest event is that is committed and not shown, since a transaction before it is open.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """

        async def read(session: Session) -> float:
            state = await session.fetchrow(_QUERIES["feed_state"].sql)
            assert state is not None  # noqa: S101 - narrows the type: the query has one row
            eras = await session.fetch(_QUERIES["eras"].sql, state["era"])
            above = {row["kind"]: row["last_id"] for row in eras}
            ages = [0.0]
            for log in self._logs.values():
                query = log.queries["held_back"].sql
                rows = await session.fetch(query, state["open_from"], above.get(log.kind, 0))
                ages += [row["seconds"] for row in rows]
            return max(ages)

        return await self._database.transact("feed held back", read)

    def _wanted_logs(self, wanted: Wanted, stored: Sequence[str]) -> list[FeedLog]:
        kinds = wanted.kinds or sorted({*self._logs, *stored})
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
