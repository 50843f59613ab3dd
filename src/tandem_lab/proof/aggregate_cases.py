"""The aggregates of a run, read from PostgreSQL with what their documents have to show besides."""

from collections.abc import AsyncIterator, Iterator, Sequence
from importlib import resources
from typing import Any

import asyncpg
import msgspec

from tandem.aggregates import Aggregate, Profile
from tandem.aggregates.definition import USER
from tandem.aggregates.installed import named
from tandem.mongodb.document import Document
from tandem_lab.proof.judge import merged
from tandem_lab.proof.judge_aggregate import (
    AggregateJudge,
    AggregatePromise,
    AggregateRow,
    made_of,
    state_of,
)
from tandem_lab.proof.ledger import Acknowledged, content_hash
from tandem_lab.proof.verdict import Failure

PAGE = 1_000  # aggregates fetched at a time
AGGREGATES_OF_RUN = resources.files("tandem_lab.proof").joinpath("aggregates_of_run.sql").read_text()
# The states of these users and of aggregates of a kind, as they are now, and how often each was changed.
USERS = """
SELECT id, CASE WHEN status NOT IN ('DELETED', 'ERASED') THEN rows::text END,
       (SELECT count(*) FROM lab_event
        WHERE user_id = id AND event_type IN ('UPDATED', 'DELETED', 'ERASED'))
FROM lab_user WHERE id = ANY ($1)
"""
OTHERS = """
SELECT id, CASE WHEN status <> 'DELETED' THEN
               (SELECT state::text FROM prm_{kind}_state s WHERE s.id = r.id) END,
       (SELECT count(*) FROM lab_{kind}_event e
        WHERE e.id = r.id AND event_type NOT IN ('SYNCRONIZED', 'REFRESHED'))
FROM lab_{kind}_row r WHERE id = ANY ($1)
"""
UNDONE = "SELECT id FROM lab_{kind}_reaction"


class AggregateCases:
    """See `compare.Cases`."""

    def __init__(self, aggregate: Aggregate[Any]) -> None:
        self.keys: set[str] = set()
        self._aggregate = aggregate
        self._creations: set[bytes] = set()
        self._judge = AggregateJudge(aggregate, self._creations)

    def promise(self, created: Acknowledged) -> AggregatePromise:
        """See `compare.Cases`."""
        promise = AggregatePromise()
        promise.add(created)
        command: Any = msgspec.json.decode(promise.sent[0].body, type=self._aggregate.creates)
        self._creations.add(content_hash(made_of(self._aggregate, command, None)))
        return promise

    async def rows(
        self, connection: asyncpg.Connection, seed: str
    ) -> AsyncIterator[tuple[int, AggregateRow]]:
        """See `compare.Cases`."""
        query = AGGREGATES_OF_RUN.replace("{kind}", self._aggregate.name)
        cursor = await connection.cursor(query, seed)
        while page := await cursor.fetch(PAGE):
            for row in await self._with_related(connection, [AggregateRow(*record) for record in page]):
                yield row.id, row

    async def _with_related(
        self, connection: asyncpg.Connection, rows: Sequence[AggregateRow]
    ) -> list[AggregateRow]:
        """These rows, each with what its document shows besides."""
        states = [state_of(self._aggregate, row.state) for row in rows]
        related: list[dict[str, Any]] = [{} for _ in rows]
        changes: list[dict[str, int]] = [{} for _ in rows]
        for one in self._aggregate.related:
            ids = [None if state is None else one.id_of(state) for state in states]
            found = await _found(connection, one.kind, [id_ for id_ in ids if id_ is not None])
            for place, id_ in enumerate(ids):
                related[place][one.name], changes[place][one.name] = found.get(id_, (None, 0))
        return [
            msgspec.structs.replace(row, related=shown, changes=times)
            for row, shown, times in zip(rows, related, changes, strict=True)
        ]

    def judge(
        self, promise: AggregatePromise | None, row: AggregateRow | None, document: Document | None
    ) -> Iterator[Failure]:
        """See `compare.Cases`."""
        return self._judge.judge(promise, row, document)

    async def undone(self, connection: asyncpg.Connection) -> Sequence[int]:
        """See `compare.Cases`."""
        rows = await connection.fetch(UNDONE.replace("{kind}", self._aggregate.name))
        return [row["id"] for row in rows]


async def _found(
    connection: asyncpg.Connection, kind: str, ids: Sequence[int]
) -> dict[int | None, tuple[Any, int]]:
    """The states of these as PostgreSQL has them now (None: deleted), and how often each was changed."""
    query = USERS if kind == USER else OTHERS.replace("{kind}", kind)
    found: dict[int | None, tuple[Any, int]] = {}
    for id_, rows, times in await connection.fetch(query, ids):
        if kind != USER:
            state = state_of(named(kind), rows)
        elif rows is not None:
            state = msgspec.convert(merged({}, msgspec.json.decode(rows)), Profile)
        else:
            state = None
        found[id_] = state, times
    return found
