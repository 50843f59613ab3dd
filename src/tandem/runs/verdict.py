"""How a run went: what became of what was acknowledged, and whether both databases hold the same of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tandem.runs.happenings import Happening
from tandem.runs.observed import Words
from tandem.runs.statistics import LagMilliseconds

#: So many of each are named.
MOST_NAMED = 500

Number = Annotated[int, Meta(ge=0, le=10**12)]
CountedBy = Literal["browser", "server"]
HistoryRow = tuple[int, int, int, int, int, float | None, float | None]


class Acknowledged(msgspec.Struct, frozen=True):
    """How many commands the sender got an answer for, as it has counted."""

    create: Number = 0
    update: Number = 0
    delete: Number = 0


class Named(msgspec.Struct, frozen=True):
    """One that is worth a look, and why."""

    id: str
    why: str


class Comparison(msgspec.Struct, frozen=True, rename="camel"):
    """What was found when both databases were compared for one run."""

    #: Rows, and documents without a row.
    checked: int = 0
    equal: int = 0
    #: On their way to MongoDB, so that they cannot be compared.
    pending: int = 0
    dead_letters: int = 0
    #: How many of each kind of difference; nothing where both are equal.
    differences: Mapping[str, int] = {}
    #: Documents that are no tombstones; null where they were not counted.
    documents: int | None = None
    seconds: float = 0.0
    #: Why not everything was compared, as the end of a sentence; empty: all was.
    why_not_all: str = ""
    #: The first that differ.
    named: Sequence[Named] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a run went, as of `madeAt`. Counts are of users, or of the aggregate that was asked for."""

    seed: str
    aggregate: str
    made_at: datetime
    #: `comparing`: more is to come. `failed`: nothing could be compared; `compared` says why.
    state: Literal["comparing", "done", "failed"]
    sentence: str
    #: Whether nothing is lost, doubled or different, and all was compared; null while that is not known.
    is_good: bool | None
    started_at: datetime | None
    #: When the last one was synchronized for the first time.
    ended_at: datetime | None
    seconds: float | None
    users_per_second: float | None
    #: Null: nobody has said.
    acknowledged: Acknowledged | None
    counted_by: CountedBy | None
    #: All that were created, deleted ones among them.
    created: int
    updated: int
    deleted: int
    synchronized: int
    pending: int
    dead_letters: int
    #: Those that are there now.
    in_postgresql: int | None
    in_mongodb: int | None
    #: Acknowledged creates and deletes that PostgreSQL has no row of, by their numbers; null: nobody counted.
    #: An update that changes nothing is acknowledged and has no row, so updates are not judged by numbers.
    lost: int | None
    #: Users with the same `login.uuid` as another one; null: none has one, or it was not looked at.
    doubled: int | None
    #: Of how many that is.
    doubled_of: int
    compared: Comparison
    #: Those that another instance than their own has finished.
    rescued: int
    longest_rescue_seconds: float | None
    lag_ms: LagMilliseconds | None
    longest_lag_seconds: float | None
    #: Instances that watchers have seen go.
    deaths: int
    instances: Sequence[str]
    happenings: Sequence[Happening]
    #: As in the first event of the live view; empty where nobody watched.
    history: Sequence[HistoryRow]
    #: The first that were rescued, and the first dead letters.
    named_rescued: Sequence[Named] = ()
    named_letters: Sequence[Named] = ()
    #: Cells that did not answer in time, and are left out.
    silent_cells: Sequence[int] | UnsetType = UNSET


class ShortVerdict(msgspec.Struct, frozen=True, rename="camel"):
    """The same in short, for lists."""

    made_at: datetime
    state: str
    is_good: bool | None
    sentence: str


def is_good(verdict: Verdict) -> bool:
    """Whether all was compared, and nothing is lost, doubled, different or left over, as far as is known."""
    return (
        not verdict.lost
        and not verdict.doubled
        and not verdict.pending
        and not verdict.dead_letters
        and _is_equal(verdict.compared)
    )


def sentence_of(verdict: Verdict, words: Words) -> str:
    """The verdict in a sentence, without a full stop."""
    counted = words.counted(verdict.created)
    parts = [[f"{counted} in {_duration(verdict.seconds)}" if verdict.seconds is not None else counted]]
    survived = []
    if verdict.deaths:
        survived.append("one death survived" if verdict.deaths == 1 else f"{verdict.deaths} deaths survived")
    if verdict.rescued:
        after = verdict.longest_rescue_seconds
        within = "" if after is None else f" within {_duration(after)}"
        survived.append(f"{words.counted(verdict.rescued)} rescued{within}")
    numbers = [("lost", verdict.lost), ("doubled", verdict.doubled)]
    parts += [survived, [f"{number:,} {name}" for name, number in numbers if number is not None]]
    return "; ".join(", ".join(part) for part in [*parts, _stores(verdict)] if part)


def _stores(verdict: Verdict) -> list[str]:
    """What the comparison says. Nothing is called equal that was not compared."""
    found = verdict.compared
    if found.why_not_all:
        part = f"{found.checked:,} of {verdict.created:,} compared" if found.checked else "not compared"
        parts = [f"{part}: {found.why_not_all}"]
    else:
        parts = ["both stores equal"] if _is_equal(found) else []
    parts += [f"{number:,} {what}" for what, number in found.differences.items() if number]
    parts += [f"{number:,} {what}" for what, number in _left(verdict) if number]
    return parts


def _left(verdict: Verdict) -> list[tuple[str, int]]:
    found = verdict.compared
    letters = max(verdict.dead_letters, found.dead_letters)
    return [
        ("still on their way", max(verdict.pending, found.pending)),
        ("dead letter" if letters == 1 else "dead letters", letters),
    ]


def _is_equal(found: Comparison) -> bool:
    return not (found.why_not_all or found.pending or found.dead_letters or any(found.differences.values()))


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
