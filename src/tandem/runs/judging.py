"""Makes the verdict of a run: reads counters, rows and what happened, and has both databases compared.

One run at a time is compared on an instance, for two minutes at most. Whoever asks gets the verdict once it
is made, or, after some seconds, how far it is: the rest goes on, and is kept.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET

from tandem.http.problems import ProblemError, try_again
from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere
from tandem.runs.happenings import DEATH, merged, shown
from tandem.runs.merged_samples import added_up as snapshots_added_up
from tandem.runs.observed import Words
from tandem.runs.samples import RunCounters, RunSamples
from tandem.runs.statistics import Counted, Statistics, added_up, lag_percentiles
from tandem.runs.verdict import (
    MOST_NAMED,
    Acknowledged,
    Comparison,
    CountedBy,
    HistoryRow,
    ShortVerdict,
    Verdict,
    is_good,
    sentence_of,
)
from tandem.runs.verdict_rows import Figures, Ids, VerdictRows

# Load balancers give a command twelve seconds.
ANSWER_WITHIN_SECONDS = 8.0
COMPARE_FOR_SECONDS = 120.0
# Who compares says once a second how far it is. One that has said nothing for so long has ended.
FORGOTTEN_AFTER = timedelta(seconds=20)


class Watch:
    """How far a comparison is, and until when it may go on, by the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.checked = 0


Compare = Callable[[str, Ids, Watch], Awaitable[Comparison]]


class CellOfRuns(NamedTuple):
    """What one cell has to judge runs of a kind by. `compare` compares its databases, and raises nothing."""

    rows: VerdictRows
    compare: Compare


class Judge:
    """Makes the verdicts of one kind's runs."""

    def __init__(
        self,
        kind: str,
        words: Words,
        statistics: Everywhere[Statistics],
        samples: Everywhere[RunSamples],
        cells: Everywhere[CellOfRuns],
    ) -> None:
        self._kind, self._words = kind, words
        self._statistics = statistics
        self._samples = samples
        self._cells = cells
        self._running: dict[str, asyncio.Task[Verdict]] = {}

    async def judge(self, seed: str, acknowledged: Acknowledged | None, by: CountedBy | None) -> Verdict:
        """Judge a run anew. `acknowledged` is what the sender has counted; None: as it was said before.

        Raises:
            ProblemError: there is no such run, or another one is being compared.
            Unavailable: PostgreSQL does not answer.
        """
        task = self._running.get(seed)
        if task is None:
            if self._running:
                raise try_again(
                    5, "Another run is being compared here; one at a time is enough for a database."
                )
            task = asyncio.create_task(self._judge(seed, acknowledged, by), name="verdict")
            self._running[seed] = task
            task.add_done_callback(lambda done: self._end(seed, done))
        await asyncio.wait({task}, timeout=ANSWER_WITHIN_SECONDS)
        if task.done():
            return task.result()
        if (verdict := await self.find(seed)) is None:
            raise try_again(2, "PostgreSQL is slow to say how the run went; ask again in a moment.")
        return verdict

    async def find(self, seed: str) -> Verdict | None:
        """The verdict of this run that is kept; None: nobody has asked for one.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        heard = await self._cells.ask(lambda cell: cell.rows.find(seed))
        kept = [verdict for verdict in heard.answers.values() if verdict is not None]
        verdict = max(kept, key=lambda each: each.made_at, default=None)
        if verdict and verdict.state == "comparing" and datetime.now(UTC) - verdict.made_at > FORGOTTEN_AFTER:
            why = "the instance that compared has ended; ask again"
            return self._with(verdict, msgspec.structs.replace(verdict.compared, why_not_all=why), "failed")
        return verdict

    async def short(self, seeds: Sequence[str]) -> dict[str, ShortVerdict]:
        """The verdicts of these runs, in short.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        found: dict[str, ShortVerdict] = {}
        heard = await self._cells.ask(lambda cell: cell.rows.short(seeds))
        for seed, verdict in chain(*(cell.items() for cell in heard.answers.values())):
            if seed not in found or found[seed].made_at < verdict.made_at:
                found[seed] = verdict
        return found

    def _end(self, seed: str, task: asyncio.Task[Verdict]) -> None:
        del self._running[seed]
        if not task.cancelled():
            task.exception()  # whoever asked has seen it, or has left

    async def _judge(self, seed: str, acknowledged: Acknowledged | None, by: CountedBy | None) -> Verdict:
        counted = await self._counted(seed)
        if acknowledged is None and (before := await self.find(seed)):
            acknowledged, by = before.acknowledged, before.counted_by
        watch = Watch(COMPARE_FOR_SECONDS)
        looking = asyncio.create_task(self._look(seed, counted, watch))
        so_far: Verdict | None = None
        try:
            while not (await asyncio.wait({looking}, timeout=1))[0]:
                so_far = so_far or await self._base(counted, acknowledged, by)
                with suppress(Unavailable):
                    await self._cells.own.rows.keep(self._so_far(so_far, watch.checked))
            found, silent = looking.result()
        finally:
            looking.cancel()
        # What was created meanwhile is in the figures.
        verdict = await self._base(await self._counted(seed), acknowledged, by)
        verdict = self._judged(verdict, found, silent)
        await self._cells.own.rows.keep(verdict)
        return verdict

    async def _look(
        self, seed: str, counted: Counted, watch: Watch
    ) -> tuple[Sequence[tuple[Figures, Comparison]], Sequence[int]]:
        """What each cell has of this run; and the cells that are silent."""
        first, last = counted.row["first_created_at"], counted.row["last_created_at"]

        async def look(cell: CellOfRuns) -> tuple[Figures, Comparison]:
            ids = await cell.rows.ids(first, last)
            comparison = await cell.compare(seed, ids, watch)
            return await cell.rows.figures(seed, ids), comparison

        within = timedelta(seconds=COMPARE_FOR_SECONDS + ANSWER_WITHIN_SECONDS)
        heard = await self._cells.ask(look, within)
        return list(heard.answers.values()), heard.silent

    async def _counted(self, seed: str) -> Counted:
        """The counters of the run, of all cells and instances."""
        heard = await self._statistics.ask(lambda statistics: statistics.counted(seed))
        parts = [part for part in chain(*heard.answers.values()) if part.row["first_created_at"]]
        if not parts:
            raise ProblemError(404, f"There is no run {seed!r} of {self._words.many}.")
        row = {"instances": sorted({part.row["app_id"] for part in parts})}
        return added_up([Counted({**part.row, **row}, part.lags) for part in parts])

    async def _base(
        self, counted: Counted, acknowledged: Acknowledged | None, by: CountedBy | None
    ) -> Verdict:
        """What the counters and the watchers say."""
        row, seed = counted.row, counted.row["seed"]
        heard = await self._samples.ask(lambda samples: samples.read({seed: 0}, [], clear=False))
        (run,) = snapshots_added_up(heard.answers).runs
        letters = row["dead_letters"]
        return Verdict(
            seed=seed,
            aggregate=self._kind,
            made_at=datetime.now(UTC),
            state="comparing",
            sentence="",
            is_good=None,
            started_at=row["first_created_at"],
            ended_at=None,
            seconds=None,
            users_per_second=None,
            acknowledged=acknowledged,
            counted_by=by,
            created=row["total"],
            updated=row["updated"],
            deleted=row["deleted"],
            synchronized=row["synchronized"],
            pending=row["total"] - row["synchronized"] - letters,
            dead_letters=letters,
            in_postgresql=None,
            in_mongodb=None,
            lost=None if acknowledged is None else _lost(acknowledged, row["total"], row["deleted"]),
            doubled=None,
            doubled_of=0,
            compared=Comparison(),
            rescued=row["taken_over"],
            longest_rescue_seconds=None,
            lag_ms=lag_percentiles(sorted(counted.lags.items())),
            longest_lag_seconds=None,
            deaths=sum(one.once.startswith(f"{DEATH} ") for one in run.happenings),
            instances=row["instances"],
            happenings=[shown(one, self._kind, seed) for one in merged(run.happenings)],
            history=_history(run),
        )

    def _so_far(self, verdict: Verdict, checked: int) -> Verdict:
        sentence = f"Comparing both databases: {checked:,} of {verdict.created:,} {self._words.many} so far"
        compared = Comparison(checked=checked, why_not_all="it goes on")
        return msgspec.structs.replace(
            verdict, made_at=datetime.now(UTC), sentence=sentence, compared=compared, history=[]
        )

    def _judged(
        self, verdict: Verdict, found: Sequence[tuple[Figures, Comparison]], silent: Sequence[int]
    ) -> Verdict:
        """The verdict with what the cells have."""
        figures = [each for each, _ in found]
        compared = _together([each for _, each in found])
        rows = sum(each.rows for each in figures)
        if not compared.why_not_all and silent:
            which = ", ".join(map(str, silent))
            compared = msgspec.structs.replace(compared, why_not_all=f"cells {which} do not answer")
        if not compared.why_not_all and rows != verdict.created:
            why = f"{rows:,} rows were found where {verdict.created:,} are counted"
            compared = msgspec.structs.replace(compared, why_not_all=why)
        ended_at = max((each.ended_at for each in figures if each.ended_at), default=None)
        seconds = (ended_at - verdict.started_at).total_seconds() if ended_at and verdict.started_at else None
        with_uuid = sum(each.doubled[1] for each in figures)
        verdict = msgspec.structs.replace(
            verdict,
            ended_at=ended_at,
            seconds=seconds,
            users_per_second=round(verdict.created / seconds, 1) if seconds else None,
            in_postgresql=sum(each.present for each in figures),
            in_mongodb=compared.documents,
            doubled=sum(each.doubled[0] for each in figures) if with_uuid else None,
            doubled_of=with_uuid,
            longest_rescue_seconds=_longest([each.longest_rescued for each in figures]),
            longest_lag_seconds=_longest([each.longest for each in figures]),
            named_rescued=list(chain(*(each.rescued for each in figures)))[:MOST_NAMED],
            named_letters=list(chain(*(each.letters for each in figures)))[:MOST_NAMED],
            silent_cells=list(silent) or UNSET,
        )
        return self._with(
            verdict, compared, "done" if compared.checked or not compared.why_not_all else "failed"
        )

    def _with(self, verdict: Verdict, compared: Comparison, state: Literal["done", "failed"]) -> Verdict:
        verdict = msgspec.structs.replace(verdict, compared=compared, state=state)
        return msgspec.structs.replace(
            verdict, is_good=is_good(verdict), sentence=sentence_of(verdict, self._words)
        )


def _lost(acknowledged: Acknowledged, created: int, deleted: int) -> int:
    return max(0, acknowledged.create - created) + max(0, acknowledged.delete - deleted)


def _longest(waits: Sequence[timedelta | None]) -> float | None:
    return max((round(wait.total_seconds(), 3) for wait in waits if wait is not None), default=None)


def _history(run: RunCounters) -> list[HistoryRow]:
    rows = [msgspec.structs.astuple(sample)[1:] for sample in run.samples]
    return sorted(rows)


def _together(parts: Sequence[Comparison]) -> Comparison:
    """What was found in all cells."""
    if len(parts) == 1:
        return parts[0]
    differences: Counter[str] = Counter()
    for part in parts:
        differences.update(part.differences)
    documents = [part.documents for part in parts]
    return Comparison(
        checked=sum(part.checked for part in parts),
        equal=sum(part.equal for part in parts),
        pending=sum(part.pending for part in parts),
        dead_letters=sum(part.dead_letters for part in parts),
        differences=differences,
        documents=None if None in documents else sum(number or 0 for number in documents),
        seconds=max(part.seconds for part in parts),
        why_not_all=next((part.why_not_all for part in parts if part.why_not_all), ""),
        named=list(chain(*(part.named for part in parts)))[:MOST_NAMED],
    )
