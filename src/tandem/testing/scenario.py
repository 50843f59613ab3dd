"""Scenarios: what has happened, what is asked for, what follows. They call pure functions alone."""

import re
from collections.abc import Sequence
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.delivery.rejections import Gone, Rejection
from tandem.testing.checks import checked_event, checked_state, require_command, require_document


def scenario(aggregate: Aggregate[Any]) -> "Scenario":
    """Begin a scenario about one aggregate of this kind.

    `scenario(ORDERS).given(placed).when(PayOrder(1600)).then(OrderPaid())` reads as it says.
    """
    return Scenario(aggregate, ())


class Scenario:
    """One aggregate, and what has happened to it so far."""

    def __init__(self, aggregate: Aggregate[Any], history: Sequence[Any]) -> None:
        self._aggregate = aggregate
        self._history = history

    def given(self, *events: Any) -> "Scenario":
        """The same, after these events too.

        Raises:
            AssertionError: one is no event of the aggregate, or cannot be stored; says what to do.
        """
        again = [checked_event(self._aggregate, event) for event in events]
        return Scenario(self._aggregate, [*self._history, *again])

    def when(self, command: Any) -> "Decision":
        """What the aggregate answers this command. The one that creates needs no `given`.

        Raises:
            AssertionError: the command, an event, the state or the document after it is none that can be
                sent, stored or shown; says what to do.
        """
        aggregate, is_new = self._aggregate, not self._history
        require_command(aggregate, command, creates=is_new)
        before = _fold(aggregate, self._history)
        try:
            if before is None and not is_new:
                raise Gone(aggregate.name)
            decided = list(aggregate.decide(command, before))
        except Rejection as rejection:
            return Decision(self, command, rejection, before)
        if is_new and not decided:
            raise AssertionError(
                f"`decide` has to answer {type(command).__name__} with an event: it creates."
            )
        later = self.given(*decided)
        after = _fold(aggregate, later._history)
        if after is not None:
            require_document(aggregate, checked_state(aggregate, after))
        return Decision(later, command, decided, after)


class Decision:
    """What an aggregate has answered a command. Each expectation answers it again, for more to follow."""

    def __init__(self, later: Scenario, command: Any, decided: list[Any] | Rejection, state: Any) -> None:
        self._later = later
        self._command = command
        self._decided = decided
        self._state = state

    def then(self, *events: Any) -> "Decision":
        """Expect exactly these events.

        Raises:
            AssertionError: others have happened, or the command was rejected; shows both.
        """
        __tracebackhide__ = True
        self._expect(self._decided == list(events), _lines(events))
        return self

    def then_nothing(self) -> "Decision":
        """Expect that the command is accepted and changes nothing.

        Raises:
            AssertionError: something has happened, or it was rejected; shows what.
        """
        __tracebackhide__ = True
        return self.then()

    def then_rejected(self, why: str = "", *, status: int | None = None) -> "Decision":
        """Expect a rejection in whose message this regular expression is found.

        Raises:
            AssertionError: it was accepted, or rejected with another message or status; shows both.
        """
        __tracebackhide__ = True
        found = self._decided
        is_as_expected = (
            isinstance(found, Rejection)
            and re.search(why, str(found)) is not None
            and status in (None, found.status)
        )
        self._expect(is_as_expected, f"rejected with {status or 'any status'}: {why or 'for any reason'}")
        return self

    def then_state(self, state: Any) -> "Decision":
        """Expect this state after it; None: the aggregate is deleted.

        Raises:
            AssertionError: it is another one; shows both.
        """
        __tracebackhide__ = True
        self._expect(self._state == state, repr(state), repr(self._state))
        return self

    def when(self, command: Any) -> "Decision":
        """What the aggregate answers this command after all that; see `Scenario.when`."""
        return self._later.when(command)

    def _expect(self, holds: bool, expected: str, found: str | None = None) -> None:
        __tracebackhide__ = True
        if not holds:
            found = found or _lines(self._decided)
            raise AssertionError(f"{self._command!r}\n  expected: {expected}\n     found: {found}")


def _fold(aggregate: Aggregate[Any], events: Sequence[Any]) -> Any:
    state = None
    for event in events:
        state = aggregate.evolve(state, event)
    return state


def _lines(decided: Sequence[Any] | Rejection) -> str:
    if isinstance(decided, Rejection):
        return f"rejected with {decided.status}: {decided}"
    return "\n            ".join(map(repr, decided)) or "nothing happened"
