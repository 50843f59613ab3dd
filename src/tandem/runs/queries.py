"""The queries of `runs.sql`, for each kind of aggregate that runs are made of."""

from collections.abc import Mapping
from functools import cache

from tandem.cqrs.user import KIND
from tandem.postgres.queries import Query, load_queries


@cache
def queries_of(kind: str) -> Mapping[str, Query]:
    """The queries about runs of this kind, such as "user", by their names.

    Raises:
        ValueError: the kind is more than lower-case letters.
    """
    samples = "run_sample" if kind == KIND else f"{kind}_run_sample"
    return load_queries(__package__ or "", "runs.sql", kind=kind, samples=samples)


#: Those about runs of users.
QUERIES = queries_of(KIND)
