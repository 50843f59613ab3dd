"""The queries of aggregates: those that are the same for every kind, and those of its own package."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.postgres.queries import Query, load_queries


@cache
def queries_of(kind: str) -> Mapping[str, Query]:
    """The queries of this kind that differ in the names of tables alone."""
    return load_queries(__package__ or "", "aggregate.sql", kind=kind)


def own_queries(aggregate: Aggregate[Any]) -> Mapping[str, Query]:
    """The queries of the aggregate's own file: `write`, and the lookups.

    Raises:
        ValueError: one is missing; says which.
    """
    file = f"{aggregate.name}.sql"
    queries = load_queries(aggregate.package, file)
    for name in ("write", *aggregate.lookups):
        if name not in queries:
            msg = f"{file} of {aggregate.package} has no query `{name}`: begin one with `-- name: {name}`."
            raise ValueError(msg)
    return queries
