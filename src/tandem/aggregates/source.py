"""All aggregates of one kind as PostgreSQL has them, page by page."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from tandem.aggregates.command_store import stored_of
from tandem.aggregates.definition import Aggregate
from tandem.aggregates.messages import Stored
from tandem.aggregates.queries import queries_of
from tandem.delivery.source import Page, Row, page_of
from tandem.ids import HIGHEST_ID
from tandem.postgres.database import Database


class AggregateRowsSource:
    """See `delivery.source.Source`."""

    def __init__(self, aggregate: Aggregate[Any], database: Database) -> None:
        self.kind = aggregate.name
        self._aggregate = aggregate
        self._database = database
        self._query = queries_of(aggregate.name)["read_rows"]

    async def page(
        self, after: int, limit: int, through: int = HIGHEST_ID, seed: str | None = None
    ) -> Page[Stored]:
        """See `Source`."""
        rows = await self._database.fetch(self._query, after, through, limit, seed, None)
        return page_of([self._row(row) for row in rows], limit, through, seed)

    async def rows(self, ids: Sequence[int]) -> list[Row[Stored]]:
        """See `Source`."""
        return [self._row(row) for row in await self._database.fetch(self._query, 0, 0, 0, None, ids)]

    def _row(self, row: asyncpg.Record) -> Row[Stored]:
        columns = (row["id"], row["seed"], row["version"], row["is_pending"], row["is_dead_letter"])
        if not row["is_wanted"]:
            return Row(*columns, None)
        found = stored_of(self._aggregate, row)
        return Row(*columns, found) if isinstance(found, Stored) else Row(*columns, None, found.why)
