"""The states of things that documents show and reactions ask for, whatever their kind."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
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

#: Reads what is there now, by id.
Read = Callable[[Sequence[int]], Awaitable[Mapping[int, Any]]]
#: Given a kind and ids, answers those that are there.
Existing = Callable[[str, Sequence[int]], Awaitable[Container[int]]]


class OtherStates:
    """See `ports.Others`. Reads are gathered, whoever asks.

    Args:
        read_users: reads users.
        stores: those of the other kinds.
        existing: a cheaper way to learn which ids are there, by kind; None: they are read.
    """

    def __init__(
        self, read_users: Read, stores: Mapping[str, CommandStore], existing: Existing | None = None
    ) -> None:
        readers: dict[str, Read] = {USER: read_users} | {kind: store.read for kind, store in stores.items()}
        self._reads: dict[str, Coalescer[int, Any]] = {
            kind: Coalescer(f"ask for {kind}", partial(_states, read), POLICY)
            for kind, read in readers.items()
        }
        self._looks: dict[str, Coalescer[int, Any]] = self._reads
        if existing is not None:
            self._looks = {
                kind: Coalescer(f"look for {kind}", partial(_are_there, existing, kind), POLICY)
                for kind in readers
            }

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """One or two for each kind: for metrics and the orderly stop."""
        return list(dict.fromkeys([*self._reads.values(), *self._looks.values()]))

    async def exists(self, kind: str, id_: int) -> bool:
        """See `ports.Others`.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return (await self._looks[kind].submit(id_)) not in (None, False)

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


async def existing_in(database: Database, kind: str, ids: Sequence[int]) -> set[int]:
    """Those of these ids that are there and not deleted, by the rows of that kind.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    return {row[0] for row in await database.fetch(queries_of(kind)["existing"], ids)}


async def _are_there(existing: Existing, kind: str, ids: Sequence[int]) -> Sequence[bool]:
    there = await existing(kind, sorted(set(ids)))
    return [id_ in there for id_ in ids]


async def _states(read: Read, ids: Sequence[int]) -> Sequence[Any]:
    found = await read(sorted(set(ids)))
    return [_state_of(found.get(id_)) for id_ in ids]


def _state_of(found: Any) -> Any:
    if isinstance(found, StoredUser):
        return found.profile
    return found.state if isinstance(found, Stored) else None
