"""What a watching instance sees between two samples of a run. Nothing here does I/O.

Who died, who took over, which database went or came back.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET

from tandem.runs.happenings import DEATH, REFUSAL, SAME_WITHIN, TAKEOVER, Kept

if TYPE_CHECKING:
    from tandem.runs.live_run import LiveEvent, LiveInstance

_DATABASES = {"postgresql": "PostgreSQL", "mongodb": "MongoDB"}
_OUT = ("silent", "gone")
# A takeover goes on in batches. It is told once its number has been the same for so many samples.
_SETTLED_AFTER = 2

_Life = tuple[int, str, int | None]


class Words(NamedTuple):
    """What one is called, and what many are."""

    one: str = "user"
    many: str = "users"

    def counted(self, number: int) -> str:
        """So many of them."""
        return f"{number:,} {self.one if number == 1 else self.many}"


class Observer:
    """Compares the events of one run."""

    def __init__(self, words: Words) -> None:
        self._words = words
        # How often a number was seen to be the same, by what it counts.
        self._settling: dict[str, tuple[int, int]] = {}
        # Numbers of which nothing is left to tell.
        self._told: dict[str, int] = {}
        # How much of it this instance has told.
        self._said: dict[str, int] = {}

    def observe(self, before: "LiveEvent | None", now: "LiveEvent", kept: Sequence[Kept]) -> list[Kept]:
        """What happened between these two; `kept` is what was told of the run before, by whomever."""
        if before is None or before.at is None:
            self._told = dict(self._numbers(now))
            return []
        at = now.at if now.at and now.databases.postgresql == "up" else datetime.now(UTC)
        slot = int(at.timestamp() // SAME_WITHIN.total_seconds())
        sentences = [*_of_databases(before, now), *_of_cells(before, now), *_of_instances(before, now)]
        told = [Kept(at, "observed", text, once or f"{text} {slot}") for once, text in sentences]
        return told + list(self._of_numbers(at, now, kept))

    def _of_numbers(self, at: datetime, now: "LiveEvent", kept: Sequence[Kept]) -> Iterator[Kept]:
        for what, number in self._numbers(now):
            last, times = self._settling.get(what, (number, 0))
            times = times + 1 if last == number else 0
            self._settling[what] = (number, times)
            if number < self._told.get(what, 0):
                self._told[what] = number
            elif number > self._told.get(what, 0) and times >= _SETTLED_AFTER:
                self._told[what] = number
                # Another watcher may have told it, or a part of it.
                amounts = [each.amount or 0 for each in kept if each.once.startswith(f"{what}: ")]
                said = max([self._said.get(what, 0), *amounts])
                if said < number:
                    self._said[what] = number
                    text = self._sentence(what, number - said)
                    yield Kept(at, "observed", text, f"{what}: {number}", number)

    def _numbers(self, event: "LiveEvent") -> Iterator[tuple[str, int]]:
        for instance in event.instances:
            for of, users in instance.took_over_from.items():
                yield f"{TAKEOVER} {_cell(instance)}\n{instance.app_id}\n{of}", users
        yield REFUSAL, event.dead_letters

    def _sentence(self, what: str, number: int) -> str:
        if what == REFUSAL:
            return f"MongoDB refused {self._words.counted(number)}, set aside as dead letters."
        _, by, of = what.split("\n")
        return f"{by} took over {self._words.counted(number)} of {of}."


def _of_databases(before: "LiveEvent", now: "LiveEvent") -> Iterator[tuple[str, str]]:
    for name, title in _DATABASES.items():
        if getattr(before.databases, name) != getattr(now.databases, name):
            is_up = getattr(now.databases, name) == "up"
            yield "", f"{title} answers again." if is_up else f"{title} does not answer."


def _of_cells(before: "LiveEvent", now: "LiveEvent") -> Iterator[tuple[str, str]]:
    then, silent = set(before.silent_cells or ()), set(now.silent_cells or ())
    yield from (("", f"Cell {cell} does not answer.") for cell in sorted(silent - then))
    yield from (("", f"Cell {cell} answers again.") for cell in sorted(then - silent))


def _of_instances(before: "LiveEvent", now: "LiveEvent") -> Iterator[tuple[str, str]]:
    """Of the instances of a silent cell, nothing is known."""
    then = {_life(each): each for each in before.instances}
    lives = {_life(each) for each in now.instances}
    for each in _known(before.instances, now):
        # It may be back, in another life, before anybody saw it gone.
        if each.state not in _OUT and _life(each) not in lives:
            yield _once(DEATH, each), f"{each.app_id} is gone."
    for each in _known(now.instances, before):
        earlier = then.get(_life(each))
        if earlier is None:
            if each.state not in _OUT:
                yield _once("started", each), f"{each.app_id} has started."
        elif earlier.state == each.state:
            continue
        elif each.state == "gone":
            yield _once(DEATH, each), f"{each.app_id} is gone."
        elif each.state == "silent":
            yield "", f"{each.app_id} has fallen silent."
        elif earlier.state in _OUT:
            yield "", f"{each.app_id} is back."


def _known(instances: Iterable["LiveInstance"], event: "LiveEvent") -> Iterator["LiveInstance"]:
    silent = event.silent_cells or ()
    return (each for each in instances if each.cell is UNSET or each.cell not in silent)


def _once(what: str, instance: "LiveInstance") -> str:
    return f"{what} {_life(instance)}"


def _life(instance: "LiveInstance") -> _Life:
    return _cell(instance), instance.app_id, instance.incarnation


def _cell(instance: "LiveInstance") -> int:
    return -1 if instance.cell is UNSET else instance.cell
