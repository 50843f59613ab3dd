"""The queries of the lease, and those of each kind of work, which differ in their tables alone."""

from collections.abc import Mapping
from functools import cache

from tandem.postgres.queries import Query, load_queries

LEASE_QUERIES = load_queries(__package__ or "", "lease.sql")


@cache
def queries_of(kind: str) -> Mapping[str, Query]:
    """The queries of this kind of work, such as "user", by their names.

    Raises:
        ValueError: the kind is more than lower-case letters.
    """
    return load_queries(__package__ or "", "delivery.sql", kind=kind)
