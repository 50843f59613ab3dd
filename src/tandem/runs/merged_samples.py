"""What the PostgreSQL of each cell knows of the watched runs, as if one had all of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tandem.runs.happenings import merged
from tandem.runs.samples import Life, RunCounters, Sample, Snapshot


def added_up(snapshots: Mapping[int, Snapshot]) -> Snapshot:
    """One snapshot of those of several cells, by their numbers.

    Kept samples are of all cells together already, whichever cell keeps them.
    """
    runs: dict[str, list[RunCounters]] = {}
    lives: list[Life] = []
    for number, snapshot in sorted(snapshots.items()):
        lives += [replace(life, cell=number) for life in snapshot.lives]
        for run in snapshot.runs:
            counts = [replace(each, cell=number) for each in run.counts]
            runs.setdefault(run.seed, []).append(replace(run, counts=counts))
    return Snapshot(
        at=max(each.at for each in snapshots.values()),
        runs=[_run(parts) for parts in runs.values()],
        lives=lives,
        oldest_pending_seconds=_longest([each.oldest_pending_seconds for each in snapshots.values()]),
    )


def _run(parts: Sequence[RunCounters]) -> RunCounters:
    lags: Counter[int] = Counter()
    samples: dict[int, Sample] = {}
    for part in parts:
        lags.update(dict(part.lags))
        for sample in part.samples:
            # The same from whichever instance: the cell with the lowest number has the last word.
            samples.setdefault(sample.at_second, sample)
    return RunCounters(
        seed=parts[0].seed,
        oldest_pending_seconds=_longest([part.oldest_pending_seconds for part in parts]),
        counts=[each for part in parts for each in part.counts],
        lags=sorted(lags.items()),
        samples=[samples[second] for second in sorted(samples, reverse=True)],
        happenings=merged(each for part in parts for each in part.happenings),
    )


def _longest(waits: Sequence[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)
