"""All aggregates of one kind as PostgreSQL has them, page by page."""

from functools import partial
from typing import Any

import asyncpg

from tandem.aggregates.command_store import stored_of
from tandem.aggregates.definition import Aggregate
from tandem.aggregates.messages import Stored
from tandem.aggregates.queries import queries_of
from tandem.delivery.source import Row, RowsSource
from tandem.postgres.database import Database


def rows_of(aggregate: Aggregate[Any], database: Database) -> RowsSource[Stored]:
    """The rows of all of them."""
    query = queries_of(aggregate.name)["read_rows"]
    return RowsSource(database, aggregate.name, query, partial(_row, aggregate))


def _row(aggregate: Aggregate[Any], row: asyncpg.Record) -> Row[Stored]:
    columns = (row["id"], row["seed"], row["version"], row["is_pending"], row["is_dead_letter"])
    if not row["is_wanted"]:
        return Row(*columns, None)
    found = stored_of(aggregate, row)
    return Row(*columns, found) if isinstance(found, Stored) else Row(*columns, None, found.why)
