"""Several cells asked as one: each has the same part, such as its users or its statistics.

A system without cells is one cell, and asks it as if this module were not there. Where there are several, all
are asked at once. One that does not answer in time is left out and named, so that no cell holds up what the
others answer; and it is not asked again before it answers a probe.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from tandem.ids import cell_of
from tandem.kernel.backoff import Backoff
from tandem.kernel.errors import KernelError, Overloaded, Unavailable

S = TypeVar("S")
R = TypeVar("R")

#: How long a cell has to answer.
PATIENCE = timedelta(seconds=2)
#: Errors that say that a cell cannot answer. Others are the caller's fault, whichever cell raises them.
SILENCE = (Unavailable, Overloaded, TimeoutError)
_HEARD = (*SILENCE, type(None))

# One that answers probes and nothing else is asked more and more seldom, for its callers pay for each try.
_REST = Backoff(first=timedelta(milliseconds=500), longest=timedelta(seconds=20))
_FORGOTTEN_AFTER_SECONDS = 60.0


class SilentCells(Unavailable):
    """Cells do not answer whose answer is needed; says which."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers = tuple(sorted(numbers))
        which = ", ".join(map(str, self.numbers))
        several = len(self.numbers) > 1
        super().__init__(f"Cells {which} do not answer" if several else f"Cell {which} does not answer")


class OtherCell(KernelError):
    """A command came to a cell that it is not for; says which one it is for."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"This is for cell {number}.")


class UnknownCell(KernelError):
    """Somebody has named a cell that there is not; says which there are."""

    def __init__(self, known: Iterable[int]) -> None:
        super().__init__(f"must be one of {', '.join(map(str, known))}")


class Voice:
    """Whether a cell's database is heard. Calls note that it is not, and a probe that it is again."""

    def __init__(self) -> None:
        self.is_silent = False
        #: When it was last heard, by the monotonic clock.
        self.heard_at = 0.0
        self._failures = 0
        self._failed_at = self._probed_from = 0.0

    def failed(self) -> None:
        """Note that it has not answered."""
        now = time.monotonic()
        if self.is_silent:
            return
        self._failures = self._failures + 1 if now < self._failed_at + _FORGOTTEN_AFTER_SECONDS else 1
        self.is_silent, self._failed_at = True, now
        self._probed_from = now + _REST.seconds(self._failures)

    async def probe(self, answers: Callable[[], Awaitable[bool]]) -> None:
        """Find out whether it answers again, if it is silent and had its rest."""
        if self.is_silent and time.monotonic() >= self._probed_from:
            self.is_silent = not await answers()


class Part(NamedTuple, Generic[S]):
    """What one cell has of something."""

    number: int
    source: S
    voice: Voice

    def each(self, pick: Callable[[S], R]) -> "Part[R]":
        """What it has of a part of it."""
        return Part(self.number, pick(self.source), self.voice)


class Heard(NamedTuple, Generic[R]):
    """The answers of those that answered, by the cells' numbers, and the numbers of the others."""

    answers: Mapping[int, R]
    silent: Sequence[int] = ()

    def require_all(self) -> None:
        """Refuse to go on without an answer of each.

        Raises:
            SilentCells: some are silent.
        """
        if self.silent:
            raise SilentCells(self.silent)


class Everywhere(Generic[S]):
    """The same part of every cell.

    Args:
        own: that of the cell which is asked.
        number: this cell's.
        voice: that of the database which `own` asks.
        others: all other cells, which come and go, by their numbers.
        part_of: what one of them has.
    """

    def __init__(
        self,
        own: S,
        number: int = 0,
        voice: Voice | None = None,
        others: Mapping[int, Any] = MappingProxyType({}),
        part_of: Callable[[int, Any], Part[S]] = lambda _, part: part,
    ) -> None:
        self.own = own
        self.number = number
        self._own_part = Part(number, own, voice or Voice())
        self._others = others
        self._part_of = part_of

    @property
    def is_alone(self) -> bool:
        """Whether there is no other cell."""
        return not self._others

    @property
    def parts(self) -> list[Part[S]]:
        """Those of all cells, in the order of their numbers."""
        others = [self._part_of(number, cell) for number, cell in self._others.items()]
        return sorted([self._own_part, *others], key=_number)

    def each(self, pick: Callable[[S], R]) -> "Everywhere[R]":
        """A part of each of these."""

        def part_of(number: int, cell: Any) -> Part[R]:
            return self._part_of(number, cell).each(pick)

        return Everywhere(pick(self.own), self.number, self._own_part.voice, self._others, part_of)

    def part(self, number: int) -> Part[S] | None:
        """That of the cell of this number; None where there is none."""
        if number == self.number:
            return self._own_part
        return self._part_of(number, self._others[number]) if number in self._others else None

    def named(self, number: int) -> Part[S]:
        """That of the cell of this number.

        Raises:
            UnknownCell: there is none.
        """
        if (part := self.part(number)) is None:
            raise UnknownCell(part.number for part in self.parts)
        return part

    def of(self, id_: int) -> S | None:
        """That of the cell that has this id, or of one that is alone; None where there is no such cell."""
        if self.is_alone:
            return self.own
        part = self.part(cell_of(id_))
        return part.source if part else None

    async def ask(self, ask: Callable[[S], Awaitable[R]], within: timedelta = PATIENCE) -> Heard[R]:
        """What each cell answers.

        Raises:
            SilentCells: none answers in time.
            Exception: as `ask`; where this cell is alone, this is all.
        """
        if not self._others:
            return Heard({self.number: await ask(self.own)})
        return await hear(self.parts, lambda part: ask(part.source), within)

    async def ask_for(
        self, id_: int, ask: Callable[[S], Awaitable[R]], within: timedelta = PATIENCE
    ) -> R | None:
        """What the cell that has this id answers; None where there is no such cell.

        Raises:
            SilentCells: it does not answer in time, and is another cell than this one.
            Exception: as `ask`.
        """
        number = cell_of(id_)
        if number != self.number and self._others:
            if (part := self.part(number)) is None:
                return None
            heard = await hear([part], lambda part: ask(part.source), within)
            return heard.answers[number]
        return await ask(self.own)

    def require_own(self, id_: int) -> None:
        """Refuse what is to be done to a thing of another cell.

        Raises:
            OtherCell: this id is another cell's.
        """
        if not self.is_alone and cell_of(id_) != self.number:
            raise OtherCell(cell_of(id_))


def _number(part: Part[Any]) -> int:
    return part.number


async def hear(
    parts: Sequence[Part[S]], ask: Callable[[Part[S]], Awaitable[R]], within: timedelta = PATIENCE
) -> Heard[R]:
    """What these answer within a time.

    Raises:
        SilentCells: none answers in time.
        Overloaded: none was asked in time.
        Exception: as `ask`, but for errors that say that a cell does not answer.
    """
    began = time.monotonic()
    asked = {part.number: asyncio.ensure_future(ask(part)) for part in parts if not part.voice.is_silent}
    try:
        if asked:
            await asyncio.wait(asked.values(), timeout=within.total_seconds())
    finally:
        for future in asked.values():
            if not future.done():
                future.add_done_callback(_error_of)
                future.cancel()
    errors = {number: _error_of(future) for number, future in asked.items()}
    for part in parts:
        if part.number in errors:
            errors[part.number] = _noted(part.voice, errors[part.number], began)
    if failure := next((error for error in errors.values() if not isinstance(error, _HEARD)), None):
        raise failure
    answers = {number: future.result() for number, future in asked.items() if errors[number] is None}
    silent = [part.number for part in parts if part.number not in answers]
    if not answers:
        overloaded = any(isinstance(error, Overloaded) for error in errors.values())
        raise Overloaded("Too much waits here for cells.") if overloaded else SilentCells(silent)
    return Heard(answers, silent)


def _noted(voice: Voice, error: BaseException | None, began: float) -> BaseException | None:
    """Note whether a database is heard; what is to be said of it.

    That too much waits here for a cell says nothing of the cell. It is so, too, where others were answered
    since this began.
    """
    if error is None:
        voice.heard_at = time.monotonic()
    elif isinstance(error, TimeoutError) and voice.heard_at > began:
        return Overloaded("Others are asked first.")
    elif isinstance(error, SILENCE) and not isinstance(error, Overloaded):
        voice.failed()
    return error


def _error_of(future: "asyncio.Future[R]") -> BaseException | None:
    """Why it has no result; asyncio complains of errors that nobody looks at."""
    if not future.done() or future.cancelled():
        return TimeoutError()
    return future.exception()
