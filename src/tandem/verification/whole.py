"""Verifies all of a kind: chunk after chunk, several at a time."""

import asyncio
from collections.abc import Callable

from tandem.delivery.source import Chunks
from tandem.ids import HIGHEST_ID
from tandem.kernel import Unavailable
from tandem.verification.differences import Tally
from tandem.verification.verifier import Verifier

# While one lane compares, the others wait for a database: more than three gain nothing on two cores.
LANES = 3
ROWS_A_CHUNK = 5_000


async def verify_all(verifier: Verifier, chunks: Chunks, tell: Callable[[Tally], None]) -> Tally:
    """Verify all ids. `tell` hears of what has been found so far.

    Raises:
        Unavailable: a database does not answer.
    """
    tally = Tally()
    after = 0
    turn = asyncio.Lock()

    async def lane() -> None:
        nonlocal after
        while True:
            async with turn:
                first = after
                if first == HIGHEST_ID:
                    return
                after = await chunks.end(first)
                through = after
            tally.add(await verifier.verify(first, through))
            tell(tally)

    try:
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(lane())
    except* Unavailable as errors:
        first = errors.exceptions[0]
    else:
        return tally
    raise first
