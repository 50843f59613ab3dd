"""All users as PostgreSQL has them, page by page."""

from collections.abc import Sequence

import asyncpg

from tandem.cqrs.user import KIND
from tandem.delivery.source import Page, Row, page_of
from tandem.ids import HIGHEST_ID
from tandem.postgres.database import Database
from tandem.user import StoredUser
from tandem.user_command.queries import QUERIES
from tandem.user_command.rows import UnreadableUser, stored_user


class UserRowsSource:
    """See `delivery.source.Source`."""

    kind = KIND

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, after: int, limit: int, through: int = HIGHEST_ID, seed: str | None = None
    ) -> Page[StoredUser]:
        """See `Source`."""
        rows = await self._database.fetch(QUERIES["read_rows"], after, through, limit, seed, None)
        return page_of([_row(row) for row in rows], limit, through, seed)

    async def rows(self, ids: Sequence[int]) -> list[Row[StoredUser]]:
        """See `Source`."""
        rows = await self._database.fetch(QUERIES["read_rows"], 0, 0, 0, None, ids)
        return [_row(row) for row in rows]


def _row(row: asyncpg.Record) -> Row[StoredUser]:
    columns = (row["id"], row["seed"], row["version"], row["is_pending"], row["is_dead_letter"])
    if not row["is_wanted"]:
        return Row(*columns, None)
    try:
        return Row(*columns, stored_user(row))
    except UnreadableUser as error:
        return Row(*columns, None, error.why)
