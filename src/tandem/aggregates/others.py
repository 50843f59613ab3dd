"""The states of things that documents show and reactions ask for, whatever their kind."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tandem.aggregates.definition import USER
from tandem.aggregates.messages import Stored
from tandem.aggregates.ports import CommandStore
from tandem.kernel import BatchPolicy, Coalescer
from tandem.user import StoredUser

#: Reads users as they are now, by id.
ReadUsers = Callable[[Sequence[int]], Awaitable[Mapping[int, Any]]]


class OtherStates:
    """See `ports.Others`. Reads are gathered, whoever asks."""

    def __init__(self, read_users: ReadUsers, stores: Mapping[str, CommandStore]) -> None:
        readers: dict[str, Callable[[Sequence[int]], Awaitable[Mapping[int, Any]]]] = {
            USER: read_users,
            **{kind: store.read for kind, store in stores.items()},
        }
        policy = BatchPolicy(max_batch=500, max_waiting=50_000)
        self._reads = {
            kind: Coalescer(f"ask for {kind}", partial(_states, read), policy)
            for kind, read in readers.items()
        }

    @property
    def coalescers(self) -> list[Coalescer[Any, Any]]:
        """One for each kind: for metrics and the orderly stop."""
        return list(self._reads.values())

    async def find(self, kind: str, ids: Sequence[int]) -> Mapping[int, Any]:
        """See `ports.Others`. What cannot be read counts as missing.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        reads = self._reads[kind]
        found = await asyncio.gather(*map(reads.submit, ids))
        return {id_: state for id_, state in zip(ids, found, strict=True) if state is not None}


async def _states(read: ReadUsers, ids: Sequence[int]) -> Sequence[Any]:
    found = await read(sorted(set(ids)))
    return [_state_of(found.get(id_)) for id_ in ids]


def _state_of(found: Any) -> Any:
    if isinstance(found, StoredUser):
        return found.profile
    return found.state if isinstance(found, Stored) else None
