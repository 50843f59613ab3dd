"""The chunks of ids that scrubbers share, as rows of `tandem_verified`."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain

import msgspec

from tandem.ids import HIGHEST_ID
from tandem.postgres.database import Database
from tandem.verification.differences import Tally, What
from tandem.verification.repairs import QUERIES

PATIENCE = timedelta(seconds=1)
_COUNTS = ("checked", "equal", "pending", "set_aside", *(what.value for what in What))


class Chunk(msgspec.Struct, frozen=True):
    """A range of ids: those above `after` and up to `through`."""

    kind: str
    after: int
    through: int


class VerifiedState(msgspec.Struct, frozen=True, rename="camel"):
    """What the last verifications of all chunks of a kind have found."""

    kind: str
    #: Rows, and documents without a row.
    checked: int
    equal: int
    pending: int
    #: Dead letters.
    set_aside: int
    missing: int
    surplus: int
    #: Documents under ids that a lost history gave.
    lost: int
    stale: int
    differing: int
    #: Whether every chunk was verified at least once.
    is_whole: bool
    #: How long ago the oldest verification began.
    age_seconds: float

    @property
    def differences(self) -> dict[str, int]:
        """The number of each kind of difference."""
        return {what.value: getattr(self, what.value) for what in What}

    @property
    def is_equal(self) -> bool:
        """Whether nothing was found but what is equal or on its way."""
        return not self.set_aside and not any(self.differences.values())


def added_up(cells: Sequence[Sequence[VerifiedState]]) -> Sequence[VerifiedState]:
    """What was found of each kind in all cells together. A kind is whole only where each has verified it."""
    if len(cells) == 1:
        return cells[0]
    of_kinds: dict[str, list[VerifiedState]] = {}
    for state in chain(*cells):
        of_kinds.setdefault(state.kind, []).append(state)
    return [
        VerifiedState(
            kind=kind,
            is_whole=len(states) == len(cells) and all(state.is_whole for state in states),
            age_seconds=max(state.age_seconds for state in states),
            **{name: sum(getattr(state, name) for state in states) for name in _COUNTS},
        )
        for kind, states in of_kinds.items()
    ]


class ChunkRows:
    """The table of chunks. All methods raise `Unavailable` where PostgreSQL does not answer."""

    def __init__(self, database: Database, kinds: Sequence[str]) -> None:
        self._database = database
        self._kinds = list(kinds)
        self._has_begun = False

    async def claim(self, incarnation: int, least_age_seconds: float, *, differing: bool) -> Chunk | None:
        """Take a chunk for this life; None where all were verified lately or are taken.

        `differing`: one in which something differed, if there is one.
        """
        if not self._has_begun:
            await self._database.fetch(QUERIES["begin_chunks"], self._kinds, HIGHEST_ID)
            self._has_begun = True
        rows = await self._database.fetch(
            QUERIES["claim_chunk"], incarnation, self._kinds, differing, least_age_seconds
        )
        return Chunk(*rows[0]) if rows else None

    async def split(self, chunk: Chunk, through: int) -> Chunk:
        """The chunk up to there; the rest is another one."""
        await self._database.fetch(QUERIES["split_chunk"], chunk.kind, chunk.after, through, HIGHEST_ID)
        return Chunk(chunk.kind, chunk.after, through)

    async def record(self, chunk: Chunk, incarnation: int, tally: Tally) -> None:
        """Record what was found in a chunk that was claimed."""
        counts = (tally.checked, tally.equal, tally.pending, tally.set_aside)
        differences = (tally.differences[what] for what in What)
        await self._database.fetch(
            QUERIES["record_chunk"], chunk.kind, chunk.after, incarnation, *counts, *differences
        )

    async def release(self, chunk: Chunk, incarnation: int) -> None:
        """Give a chunk back unverified."""
        await self._database.fetch(QUERIES["release_chunk"], chunk.kind, chunk.after, incarnation)

    async def state(self) -> list[VerifiedState]:
        """What was found of each kind; of those that nobody has begun to verify, nothing."""
        rows = await self._database.fetch(QUERIES["verified"], self._kinds, within=PATIENCE)
        return [VerifiedState(**dict(row)) for row in rows]
