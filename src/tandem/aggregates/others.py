"""The states of things that documents show and reactions ask for, whatever their kind."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tandem.aggregates.definition import USER
from tandem.aggregates.messages import Stored
from tandem.aggregates.ports import CommandStore
from tandem.delivery.queries import queries_of
from tandem.kernel import BatchPolicy, Coalescer
from tandem.postgres.database import Database
from tandem.user import StoredUser

POLICY = BatchPolicy(max_batch=500, max_waiting=50_000)

#: Reads users as they are now, by id.
ReadUsers = Callable[[Sequence[int]], Awaitable[Mapping[int, Any]]]


class OtherStates:
    """See `ports.Others`. Reads are gathered, whoever asks."""

    def __init__(self, database: Database, read_users: ReadUsers, stores: Mapping[str, CommandStore]) -> None:
        readers: dict[str, ReadUsers] = {USER: read_users} | {
            kind: store.read for kind, store in stores.items()
        }
        self._database = database
        self._reads: dict[str, Coalescer[int, Any]] = {}
        self._looks: dict[str, Coalescer[int, bool]] = {}
        for kind, read in readers.items():
            self._reads[kind] = Coalescer(f"ask for {kind}", partial(_states, read), POLICY)
            self._looks[kind] = Coalescer(f"look for {kind}", partial(self._exist, kind), POLICY)

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """Two for each kind: for metrics and the orderly stop."""
        return [*self._reads.values(), *self._looks.values()]

    async def exists(self, kind: str, id_: int) -> bool:
        """See `ports.Others`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._looks[kind].submit(id_)

    async def find_one(self, kind: str, id_: int) -> Any | None:
        """See `ports.Others`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return await self._reads[kind].submit(id_)

    async def find(self, kind: str, ids: Sequence[int]) -> Mapping[int, Any]:
        """See `ports.Others`. What cannot be read counts as missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if not ids:
            return {}
        found = await asyncio.gather(*map(self._reads[kind].submit, ids))
        return {id_: state for id_, state in zip(ids, found, strict=True) if state is not None}

    async def _exist(self, kind: str, ids: Sequence[int]) -> Sequence[bool]:
        rows = await self._database.fetch(queries_of(kind)["existing"], list(set(ids)))
        there = {row[0] for row in rows}
        return [id_ in there for id_ in ids]


async def _states(read: ReadUsers, ids: Sequence[int]) -> Sequence[Any]:
    found = await read(sorted(set(ids)))
    return [_state_of(found.get(id_)) for id_ in ids]


def _state_of(found: Any) -> Any:
    if isinstance(found, StoredUser):
        return found.profile
    return found.state if isinstance(found, Stored) else None
