"""One watched run: its event, made of two sources. Nothing here does I/O.

The counters in PostgreSQL are exact. But they lack users that are not committed yet, and those that MongoDB
has acknowledged and PostgreSQL has not recorded. Instances publish these two numbers once a second, with
their leases. So they are up to two seconds older than the counters, and count only as far as the counters
have not grown since.
"""

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tandem.cqrs.user import KIND
from tandem.runs.happenings import Happening, Kept, merged, shown
from tandem.runs.observed import Observer, Words
from tandem.runs.samples import CreatorCounts, Life, RunCounters, Sample, Snapshot
from tandem.runs.statistics import lag_percentiles

# An instance renews its lease every second. One that has missed a renewal is silent: frozen, or cut off.
SILENT_AFTER_SECONDS = 2.0
# An instance that is gone, and took no part in the run, is shown for this long.
SHOWN_AFTER_END_SECONDS = 60.0
MOST_HISTORY = 600
# Another instance keeps its samples up to two seconds late; they are read again for so long.
LATE_SECONDS = 5
# Watching begins anew when the instance that was watched through dies. What went unseen is told if it was
# no longer ago: with the time of now, and not for a run that was over before.
GAP_SECONDS = 15
# A slow watcher misses events, so what happened stands in several.
TOLD_TIMES = 5

State = Literal["ready", "busy", "silent", "gone"]
#: Its cell (-1: there is only one) and its own name.
_Name = tuple[int, str]
#: A `Sample` without its seed.
HistoryRow = tuple[int, int, int, int, int, float | None, float | None]


class Stages(msgspec.Struct, frozen=True):
    """How many users of the run have reached each stage; those that went further count, too."""

    accepted: int = 0
    stored: int = 0
    projected: int = 0
    synchronized: int = 0


class LiveLag(msgspec.Struct, frozen=True):
    """Milliseconds from CREATED to SYNCRONIZED: the median of the last second, and percentiles of the run."""

    now: float | None = None
    p50: float | None = None
    p99: float | None = None


class LiveInstance(msgspec.Struct, frozen=True, rename="camel"):
    """An instance, and its part in the run: counts are of the users that it created."""

    app_id: str
    #: Which life it is; null if it ended so long ago that nothing else is known.
    incarnation: int | None
    #: Ready for commands; busy (or stopping); silent: connected, but without a sign of life; gone: it ended.
    state: State
    #: Commands of all runs that wait here for PostgreSQL.
    queue: int
    total: int
    synchronized: int
    pending: int
    #: Its users that others have finished.
    taken_over: int
    #: Users of other instances that it has taken up, by the instance that created them; kept for an hour.
    took_over_from: dict[str, int]
    started_at: datetime | None
    #: Seconds since its last sign of life.
    silent_seconds: float | None
    #: Where there are several cells, the number of the one that it belongs to.
    cell: int | UnsetType = UNSET


class LiveDatabases(msgspec.Struct, frozen=True):
    """Which database answers; of several cells, that of any."""

    postgresql: Literal["up", "down"]
    mongodb: Literal["up", "down"]

    @classmethod
    def of(cls, *, postgresql: bool, mongodb: bool) -> "LiveDatabases":
        """The two states."""
        return cls("up" if postgresql else "down", "up" if mongodb else "down")


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event of the stream, once a second. With PostgreSQL down it repeats what was last known."""

    seed: str
    #: When the numbers were read, by PostgreSQL's clock; null if they never were.
    at: datetime | None = None
    #: The instance that answers.
    app_id: str
    stages: Stages = Stages()
    dead_letters: int = 0
    pending: int = 0
    #: How long the oldest pending user has waited: the lag of now. Null where none is pending, or where
    #: other runs' users have been pending for longer than all of this one's.
    oldest_pending_seconds: float | None = None
    #: The same of all runs together: no user of this run has waited for longer.
    oldest_pending_of_all_seconds: float | None = None
    lag_ms: LiveLag = LiveLag()
    instances: list[LiveInstance] = []
    databases: LiveDatabases
    #: Cells of which a database does not answer; those whose PostgreSQL is silent are counted nowhere here.
    #: Missing where all answer.
    silent_cells: list[int] | UnsetType = UNSET
    #: In the first event only: epoch second, the four stages, `lagMs.now` then, and for how many milliseconds
    #: the oldest pending user had waited (0 where none was pending). At most 600 of the seconds in which
    #: something changed.
    history: list[HistoryRow] | UnsetType = UNSET
    #: What happened, in the order of time: in the first event all that is kept (at most 200), later what is
    #: new. It may stand in several events, and the time of what instances see may still change by seconds.
    happenings: list[Happening] | UnsetType = UNSET


class LiveRun:
    """What is known of one watched run."""

    def __init__(self, seed: str, app_id: str, kind: str = KIND, words: Words = Words()) -> None:  # noqa: B008
        self.seed = seed
        self._kind = kind
        self._observer = Observer(words)
        self._observed_last: LiveEvent | None = None
        # Who was alive when the run was watched last, before this watching.
        self._alive_before: list[LiveInstance] | None = None
        # What is kept in PostgreSQL, and what this instance has seen since.
        self._kept: list[Kept] = []
        self._seen: list[Kept] = []
        self._told: dict[tuple[str, str], int] = {}
        self.event = LiveEvent(
            seed=seed, app_id=app_id, databases=LiveDatabases.of(postgresql=False, mongodb=False)
        )
        self._history: dict[int, HistoryRow] = {}
        self._recent: deque[Sample] = deque(maxlen=3)
        self._lags: Counter[int] | None = None

    @property
    def since(self) -> int:
        """From which second on kept samples are still to be read."""
        return max(self._history, default=0) - LATE_SECONDS

    @property
    def worth_keeping(self) -> list[Sample]:
        """The last sample but one, if something changed around it: a resting run adds no samples."""
        if len(self._recent) < 2:
            return []
        *before, sample, after = self._recent
        neighbours = {_progress(neighbour) for neighbour in (*before, after)}
        return [] if neighbours == {_progress(sample)} else [sample]

    @property
    def first_event(self) -> LiveEvent:
        """The event for a new watcher, with the history and all that happened."""
        return msgspec.structs.replace(
            self.event,
            history=[row for _, row in sorted(self._history.items())],
            happenings=[shown(one, self._kind, self.seed) for one in merged([*self._kept, *self._seen])],
        )

    def take(self, counters: RunCounters, snapshot: Snapshot) -> None:
        """Take in what was read, and make the event of it."""
        lag = self._lag(counters.lags)
        counts = counters.counts
        stages = self._stages(counts, snapshot.lives)
        letters = sum(creator.dead_letters for creator in counts)
        pending = stages.stored - stages.synchronized - letters
        oldest = counters.oldest_pending_seconds if pending > 0 else None
        self._recent.append(
            Sample(
                seed=self.seed,
                at_second=int(snapshot.at.timestamp()),
                **msgspec.structs.asdict(stages),
                lag_ms=lag.now,
                oldest_pending_ms=0 if pending == 0 else oldest and oldest * 1000,
            )
        )
        is_first = self.event.at is None
        self._remember(counters.samples)
        self._kept = counters.happenings
        self.event = msgspec.structs.replace(
            self.event,
            at=snapshot.at,
            stages=stages,
            dead_letters=letters,
            pending=pending,
            oldest_pending_seconds=oldest,
            oldest_pending_of_all_seconds=snapshot.oldest_pending_seconds,
            lag_ms=lag,
            instances=instances_of(self.seed, counts, snapshot.lives),
        )
        if is_first and (moment := self._watched_until(snapshot.at.timestamp())) is not None:
            self._alive_before = alive_at(moment, self.event, snapshot)

    def tell(self, databases: LiveDatabases, silent_cells: Sequence[int] = ()) -> None:
        """Say which database answers, and of which cells one does not."""
        silent = list(silent_cells) or UNSET
        self.event = msgspec.structs.replace(self.event, databases=databases, silent_cells=silent)

    def observe(self) -> list[Kept]:
        """What happened since the last time, as this instance sees it; the event says it, too."""
        first = self._observed_last is None
        before = self._observed_last
        if (before is None or before.at is None) and self._alive_before is not None:
            before = msgspec.structs.replace(self.event, instances=self._alive_before)
        seen = self._observer.observe(before, self.event, self._kept)
        self._observed_last = self.event
        known = {one.once for one in self._kept}
        self._seen = merged(one for one in [*self._seen, *seen] if one.once not in known)
        new = []
        for one in merged([*self._kept, *self._seen]):
            name = one.once, one.at.isoformat()
            times = self._told[name] = self._told.get(name, TOLD_TIMES if first else 0) + 1
            if times <= TOLD_TIMES:
                new.append(shown(one, self._kind, self.seed))
        self.event = msgspec.structs.replace(self.event, happenings=new or UNSET)
        return seen

    def _watched_until(self, now: float) -> float | None:
        """From which epoch second on nobody has watched; None if that is long ago, or nothing goes on."""
        last = max(self._history, default=now - LATE_SECONDS if self.event.pending > 0 else 0)
        earliest = now - GAP_SECONDS
        # A run that stands still adds no samples.
        return max(last, earliest) if last >= earliest or self.event.pending > 0 else None

    def _stages(self, counts: Sequence[CreatorCounts], lives: Sequence[Life]) -> Stages:
        stored = sum(creator.total for creator in counts)
        synchronized = sum(creator.synchronized for creator in counts)
        # A silent instance may have finished what it had in flight, or never will.
        heard = [life for life in lives if life.connected and life.silent_seconds <= SILENT_AFTER_SECONDS]
        parts = [life.in_flight[self.seed] for life in heard if self.seed in life.in_flight]
        then = list(self._recent)[-2:]
        stored_since, synchronized_since = stored, synchronized
        if then:
            stored_since, synchronized_since = stored - then[0].stored, synchronized - then[0].synchronized
        accepted = stored + max(0, sum(part.creating for part in parts) - stored_since)
        projected = synchronized + max(0, sum(part.writing_back for part in parts) - synchronized_since)
        return Stages(accepted, stored, min(projected, stored), synchronized)

    def _lag(self, buckets: Sequence[tuple[int, int]]) -> LiveLag:
        lags = Counter(dict(buckets))
        latest = lags - self._lags if self._lags is not None else Counter()
        self._lags = lags
        now, whole = lag_percentiles(sorted(latest.items())), lag_percentiles(buckets)
        return LiveLag(
            now=now.p50 if now else None, p50=whole.p50 if whole else None, p99=whole.p99 if whole else None
        )

    def _remember(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            _, *row = msgspec.structs.astuple(sample)
            self._history[sample.at_second] = tuple(row)
        for second in sorted(self._history)[:-MOST_HISTORY]:
            del self._history[second]


def _progress(sample: Sample) -> tuple[object, ...]:
    """The part of a sample that shows progress. A wait alone grows evenly, so its two ends are enough."""
    stages = sample.accepted, sample.stored, sample.projected, sample.synchronized
    return *stages, bool(sample.oldest_pending_ms)


def instances_of(seed: str, counts: Sequence[CreatorCounts], lives: Sequence[Life]) -> list[LiveInstance]:
    """Each instance in its newest life: those that run, have just ended, or had a part in this run."""
    parts = {_name(each): each for each in counts}
    newest: dict[_Name, Life] = {}
    took_over: dict[_Name, Counter[str]] = {}
    for life in lives:
        newest.setdefault(_name(life), life)
        if seed in life.in_flight and life.in_flight[seed].took_over:
            took_over.setdefault(_name(life), Counter()).update(life.in_flight[seed].took_over)
    shown = parts.keys() | took_over.keys()
    shown |= {name for name, life in newest.items() if _is_shown(life)}
    return [
        _instance(
            parts.get(name) or CreatorCounts(name[1], cell=newest[name].cell),
            newest.get(name),
            took_over.get(name, {}),
        )
        for name in sorted(shown)
    ]


def alive_at(moment: float, now: LiveEvent, snapshot: Snapshot) -> list[LiveInstance]:
    """The instances as they were at that epoch second: of those that have ended since, too."""
    # Those of two cells may have one number.
    go_on = {(each.cell, each.incarnation): each for each in now.instances if each.state != "gone"}
    # A lease is renewed once a second, so a life ends up to so much after its last sign.
    ended_since = snapshot.at.timestamp() - moment + SILENT_AFTER_SECONDS
    alive = []
    for life in snapshot.lives:
        if life.started_at.timestamp() > moment:
            continue
        then = _instance(CreatorCounts(life.app_id, cell=life.cell), life, {})
        if found := go_on.get((then.cell, then.incarnation)):
            alive.append(found)
        elif life.silent_seconds <= ended_since:
            alive.append(msgspec.structs.replace(then, state="ready"))
    return alive


def _name(what: CreatorCounts | Life) -> _Name:
    """Instances of two cells may have one name."""
    return (-1 if what.cell is None else what.cell), what.app_id


def _is_shown(life: Life) -> bool:
    return life.connected or life.silent_seconds <= SHOWN_AFTER_END_SECONDS


def _instance(counts: CreatorCounts, life: Life | None, took_over_from: dict[str, int]) -> LiveInstance:
    return LiveInstance(
        app_id=counts.app_id,
        incarnation=life.incarnation if life else None,
        state=_state(life),
        queue=life.waiting if life and life.connected else 0,
        total=counts.total,
        synchronized=counts.synchronized,
        pending=counts.total - counts.synchronized - counts.dead_letters,
        taken_over=counts.taken_over,
        took_over_from=dict(took_over_from),
        started_at=life.started_at if life else None,
        silent_seconds=round(life.silent_seconds, 1) if life else None,
        cell=UNSET if counts.cell is None else counts.cell,
    )


def _state(life: Life | None) -> State:
    if life is None or not life.connected:
        return "gone"
    if life.silent_seconds > SILENT_AFTER_SECONDS:
        return "silent"
    return "ready" if life.ready else "busy"
