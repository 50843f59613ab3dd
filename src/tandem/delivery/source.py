"""A kind's rows as they are now, in order of ids: for whoever compares or copies all of them."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import asyncpg
import msgspec

from tandem.delivery.queries import queries_of
from tandem.ids import HIGHEST_ID
from tandem.kernel import Unavailable
from tandem.postgres.database import Database
from tandem.postgres.queries import Query

Work = TypeVar("Work")
Work_co = TypeVar("Work_co", covariant=True)


class Row(msgspec.Struct, Generic[Work], frozen=True, gc=False):
    """What PostgreSQL has of one, all from one snapshot."""

    id: int
    seed: str
    version: int
    #: Whether MongoDB has not acknowledged this version.
    is_pending: bool
    #: Whether it was set aside instead.
    is_dead_letter: bool
    #: What its document is made of; None where it cannot be read.
    stored: Work | None
    #: Why it cannot be read. It names what is wrong, never what is stored.
    why_unreadable: str = ""


class Page(msgspec.Struct, Generic[Work], frozen=True, gc=False):
    """The rows of a range of ids, ascending."""

    rows: Sequence[Row[Work]]
    #: Up to which id these are all there are. The next page comes after it.
    through: int


class Source(Protocol[Work_co]):
    """The rows of one kind; `RowsSource` is it."""

    async def page(
        self, after: int, limit: int, through: int = HIGHEST_ID, seed: str | None = None
    ) -> Page[Any]:
        """At most `limit` rows with ids above `after` and up to `through`; of one run, or of all.

        Rows of other runs are looked at, too, and count for the limit: a page may have none and not be the
        last. The last is the one that reaches `through`.

        Raises:
            Unavailable: PostgreSQL does not answer, or its index of ids is damaged.
        """

    async def rows(self, ids: Sequence[int]) -> Sequence[Row[Any]]:
        """The rows of these ids, in any order; of those that there are.

        Raises:
            Unavailable: as `page`.
        """


class RowsSource(Generic[Work]):
    """See `Source`. A row that PostgreSQL finds damaged is one that cannot be read; the others are read.

    Args:
        database: where the rows are.
        kind: the kind's name, as in tables.
        query: the kind's query `read_rows`.
        row_of: makes the row of one of its answers.
    """

    def __init__(
        self, database: Database, kind: str, query: Query, row_of: Callable[[asyncpg.Record], Row[Work]]
    ) -> None:
        self.kind = kind
        self._database = database
        self._query = query
        self._row_of = row_of

    async def page(
        self, after: int, limit: int, through: int = HIGHEST_ID, seed: str | None = None
    ) -> Page[Work]:
        """See `Source`."""
        try:
            rows = await self._fetch(after, through, limit, seed, None)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.InternalServerError):
                raise
            ids = await self._database.fetch(queries_of(self.kind)["ids"], after, through, limit)
            rows = await self.rows([row["id"] for row in ids])
        return page_of(rows, limit, through, seed)

    async def rows(self, ids: Sequence[int]) -> list[Row[Work]]:
        """See `Source`."""
        try:
            return await self._fetch(0, 0, 0, None, ids)
        except Unavailable as error:
            if not isinstance(error.__cause__, asyncpg.InternalServerError):
                raise
            if len(ids) == 1:
                why = f"PostgreSQL says {type(error.__cause__).__name__}"
                columns = (ids[0], "", 0, False, False)
                return [Row(*columns, None, why)]
        middle = len(ids) // 2
        return [*await self.rows(ids[:middle]), *await self.rows(ids[middle:])]

    async def _fetch(self, *arguments: object) -> list[Row[Work]]:
        return [self._row_of(row) for row in await self._database.fetch(self._query, *arguments)]


class Chunks:
    """Cuts all ids of a kind into ranges of about so many rows."""

    def __init__(self, database: Database, kind: str, rows: int) -> None:
        self._database = database
        self._queries = queries_of(kind)
        self._rows = rows

    async def end(self, after: int) -> int:
        """Up to which id the range goes that begins above `after`; the last one takes in all ids above.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        found = await self._database.fetch(self._queries["end_of_chunk"], after, self._rows)
        return int(found[0]["id"]) if found else HIGHEST_ID

    async def about_how_many(self) -> int | None:
        """About how many rows there are; None: nobody knows.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = int((await self._database.fetch(self._queries["about_how_many"]))[0]["rows"])
        return rows if rows >= 0 else None


def page_of(rows: Sequence[Row[Work]], limit: int, through: int, seed: str | None) -> Page[Work]:
    """The page of the rows that a query with these arguments has answered."""
    reached = through if len(rows) < limit else rows[-1].id
    return Page(rows if seed is None else [row for row in rows if row.seed == seed], reached)
