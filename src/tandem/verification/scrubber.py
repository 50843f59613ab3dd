"""Verifies all ids again and again, in whatever instance has time, for a small share of its processor."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tandem.delivery.source import Chunks
from tandem.ids import HIGHEST_ID
from tandem.verification.chunks import Chunk, ChunkRows
from tandem.verification.cpu_share import CpuShare
from tandem.verification.differences import Difference
from tandem.verification.kinds import VerifiedKind
from tandem.verification.repairs import RepairRows
from tandem.verification.verifier import Gaps, Pace, Verifier

REASON = "scrubber"
#: Small, so that requests do not wait for the comparison of a page: it takes two milliseconds.
ROWS_A_PAGE = 50
#: A chunk is left alone for so long.
LEAST_AGE_SECONDS = 5.0
SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True, kw_only=True)
class ScrubbedStores:
    """What a scrubber works with."""

    kinds: Mapping[str, VerifiedKind]
    chunks: ChunkRows
    repairs: RepairRows
    #: Cuts the ids of a kind into chunks.
    cut: Callable[[str], Chunks]
    #: The ids that lost histories gave.
    gaps: Callable[[], Awaitable[Gaps]]
    #: Which collection of a kind is read now.
    live: Callable[[str], Any]


class Scrubber:
    """Claims a chunk after the other in the name of this life, verifies it, and records what it has found.

    Half of the chunks are those that were verified longest ago. The others are those in which something
    differed, if there are any, so that it is soon seen that they are equal again.
    """

    def __init__(
        self, stores: ScrubbedStores, incarnation: Callable[[], int], percent: float, *, repair: bool
    ) -> None:
        """`percent` of a processor is what it may take; 0: it does nothing. `repair`: have repaired, too."""
        self._stores = stores
        self._incarnation = incarnation
        self._repair = repair
        self._share = CpuShare(percent) if percent > 0 else None
        self._looks_at_differing = False
        #: How many rows and documents this instance has verified, by kind.
        self.verified = dict.fromkeys(stores.kinds, 0)

    @property
    def is_on(self) -> bool:
        """Whether it does anything."""
        return self._share is not None

    async def run_once(self) -> float:
        """Verify a chunk; in how many seconds to look for the next one.

        Raises:
            Unavailable: a database does not answer.
        """
        if self._share is None:
            return SECONDS_BETWEEN_LOOKS
        incarnation = self._incarnation()
        self._looks_at_differing = not self._looks_at_differing
        claim = self._stores.chunks.claim(incarnation, LEAST_AGE_SECONDS, differing=self._looks_at_differing)
        chunk = await self._share.run(claim)
        if chunk is None:
            return SECONDS_BETWEEN_LOOKS
        try:
            await self._share.run(self._verify(chunk, incarnation, self._share))
        except Exception:
            # Another one need not wait until this life ends. Where PostgreSQL does not answer, it has to.
            # A cancellation is not held up: an instance that stops gives back its lease.
            await self._stores.chunks.release(chunk, incarnation)
            raise
        await self._share.rest()
        return 0.0

    async def _verify(self, chunk: Chunk, incarnation: int, share: CpuShare) -> None:
        if chunk.through == HIGHEST_ID:
            end = await self._stores.cut(chunk.kind).end(chunk.after)
            chunk = await self._stores.chunks.split(chunk, end) if end < HIGHEST_ID else chunk
        kind = self._stores.kinds[chunk.kind]
        live = self._stores.live(chunk.kind)
        verifier = Verifier(kind, self._found, await self._stores.gaps(), pace=Pace(ROWS_A_PAGE, share.rest))
        tally = await verifier.verify(chunk.after, chunk.through)
        self.verified[chunk.kind] += tally.checked
        if self._stores.live(chunk.kind) == live:
            await self._stores.chunks.record(chunk, incarnation, tally)
        else:  # half of it was compared with a collection that is not read any more
            await self._stores.chunks.release(chunk, incarnation)

    async def _found(self, differences: Sequence[Difference]) -> None:
        if self._repair:
            await self._stores.repairs.ask_for(differences, REASON)
