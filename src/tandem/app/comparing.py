"""Compares the two databases of a cell for one run."""

import time
from collections.abc import Sequence

from tandem.app.adapters import Adapters
from tandem.delivery.source import Chunks
from tandem.kernel import Unavailable
from tandem.runs.judging import CellOfRuns, Watch
from tandem.runs.verdict import MOST_NAMED, Comparison, Named
from tandem.runs.verdict_rows import Ids, VerdictRows
from tandem.verification.differences import Difference, Tally, What
from tandem.verification.verifier import Found, Verifier
from tandem.verification.whole import ROWS_A_CHUNK


def runs_of_cell(adapters: Adapters, kind: str) -> CellOfRuns:
    """What judges the runs of a kind in one cell."""
    return CellOfRuns(VerdictRows(adapters.reads, kind), Comparer(adapters, kind).compare)


class Comparer:
    """Compares one kind in one cell, chunk by chunk."""

    def __init__(self, adapters: Adapters, kind: str) -> None:
        self._adapters = adapters
        self._kind = kind

    async def compare(self, seed: str, ids: Ids, watch: Watch) -> Comparison:
        """What is found among these ids; of one that breaks off, what was found until then."""
        started, tally, why = time.monotonic(), Tally(), ""
        named: list[Named] = []
        documents = None

        async def found(differences: Sequence[Difference]) -> None:
            named.extend(_named(each) for each in differences[: MOST_NAMED - len(named)])

        try:
            outside = await self._verify(seed, ids, watch, found, tally)
            if outside is None:
                why = "it took too long"
            else:
                documents, surplus = outside
                tally.checked += surplus
                tally.differences[What.SURPLUS] += surplus
        except Unavailable as error:
            name = next((name for name in _DATABASES if str(error).startswith(name)), "a database")
            why = f"{name} does not answer"
        return Comparison(
            checked=tally.checked,
            equal=tally.equal,
            pending=tally.pending,
            dead_letters=tally.set_aside,
            differences={what.value: number for what, number in tally.differences.items() if number},
            documents=documents,
            seconds=round(time.monotonic() - started, 3),
            why_not_all=why,
            named=named,
        )

    async def _verify(
        self, seed: str, ids: Ids, watch: Watch, found: Found, tally: Tally
    ) -> tuple[int, int] | None:
        """How many documents the run has, and how many of them are outside of these ids; None: time is up."""
        kind = self._adapters.verified[self._kind]
        _, gaps = await self._adapters.history.state()
        verifier = Verifier(kind, found, gaps, seed)
        chunks = Chunks(self._adapters.reads, self._kind, ROWS_A_CHUNK)
        after, through = ids
        while after < through:
            if time.monotonic() > watch.until:
                return None
            end = min(await chunks.end(after), through)
            before = tally.checked
            tally.add(await verifier.verify(after, end))
            watch.checked += tally.checked - before
            after = end
        # A document that no row can have is outside, too.
        return await kind.documents.count_of_run(seed, ids[0] + 1, ids[1])


_DATABASES = ("PostgreSQL", "MongoDB")


def _named(difference: Difference) -> Named:
    how = difference.why_unreadable or ", ".join(difference.fields[:5])
    return Named(difference.id, f"{difference.what.value}: {how}" if how else difference.what.value)
