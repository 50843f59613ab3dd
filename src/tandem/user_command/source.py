"""All users as PostgreSQL has them, page by page."""

import asyncpg

from tandem.cqrs.user import KIND
from tandem.delivery.source import Row, RowsSource
from tandem.postgres.database import Database
from tandem.user import StoredUser
from tandem.user_command.queries import QUERIES
from tandem.user_command.rows import UnreadableUser, stored_user


def rows_of_users(database: Database) -> RowsSource[StoredUser]:
    """The rows of all users."""
    return RowsSource(database, KIND, QUERIES["read_rows"], _row)


def _row(row: asyncpg.Record) -> Row[StoredUser]:
    columns = (row["id"], row["seed"], row["version"], row["is_pending"], row["is_dead_letter"])
    if not row["is_wanted"]:
        return Row(*columns, None)
    try:
        return Row(*columns, stored_user(row))
    except UnreadableUser as error:
        return Row(*columns, None, error.why)
