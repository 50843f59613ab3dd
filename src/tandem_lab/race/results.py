"""What a race is told to do, and what it says while it goes on and in the end."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

State = Literal["preparing", "sending", "settling", "done", "stopped", "failed"]
OVER = ("done", "stopped", "failed")

MOST_USERS = 20_000
#: A rate that would take longer for all of them is refused.
MOST_SECONDS = 600
MOST_POINTS = 600


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Who races with Tandem, and how.

    `rate`: users per second for each; None: as fast as each can. `fault`: `kill`, or None.
    """

    peer: str
    users: int
    seed: str
    rate: int | None = None
    fault: str | None = None
    #: The header of whoever asked for it; empty: none.
    authorization: str = ""


class Side(msgspec.Struct, rename="camel"):
    """What one of the two has done so far."""

    name: str
    acknowledged: int = 0
    #: Users in the first store and in the second one.
    first: int = 0
    second: int = 0
    #: From the first request until the last user came into the second store.
    seconds: float = 0.0
    #: Acknowledged, and missing in a store. None: not judged yet.
    lost: int | None = None
    #: Addresses that a store has more than once.
    doubled: int | None = None
    #: The second, how many were acknowledged by then, and how many were in the second store.
    history: list[tuple[float, int, int]] = []
    #: Users in the second store for each of `seconds`.
    per_second: float = 0.0

    def note(self, second: float) -> None:
        """Add a point to the history; where it has many, every other one goes."""
        self.history.append((round(second, 1), self.acknowledged, self.second))
        if len(self.history) > MOST_POINTS:
            del self.history[1::2]
        self.per_second = round(self.second / self.seconds, 1) if self.seconds else 0.0


class Struck(msgspec.Struct, frozen=True, rename="camel"):
    """What happened to both."""

    at_second: float
    text: str


class Race(msgspec.Struct, rename="camel"):
    """How a race stands. Of the two sides, Tandem is the first."""

    peer: str
    what: str
    users: int
    rate: int | None
    fault: str | None
    seed: str
    sides: list[Side]
    state: State = "preparing"
    #: Why it failed.
    reason: str = ""
    started_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    faults: list[Struck] = []
    #: What came of it.
    sentence: str = ""


def race_of(plan: Plan, what: str = "") -> Race:
    """The race of a plan before it begins. `what`: the other design in a sentence."""
    sides = [Side("Tandem"), Side(title_of(plan.peer))]
    return Race(plan.peer, what, plan.users, plan.rate, plan.fault, plan.seed, sides)


def title_of(peer: str) -> str:
    """A peer's name for people: `plain_way` is the plain way."""
    return "The plain way" if peer == "plain_way" else peer.replace("_", " ")


def sentence_of(race: Race) -> str:
    """What came of a race that is over, in one sentence, or two."""
    tandem, other = race.sides
    if any((other.lost, other.doubled, tandem.lost, tandem.doubled)):
        lost = f"{_some(other.lost)} of {other.acknowledged:,} users that it had acknowledged{_twice(other)}"
        why = " Whoever is there twice was sent again, as no answer had come." if other.doubled else ""
        return f"{other.name} has lost {lost}; Tandem {_some(tandem.lost)}{_twice(tandem)}.{why}"
    none = f"Neither has lost any of {race.users:,} users"
    if race.fault:
        return f"{none}: little was on its way when both were killed. The faster they go, the more is."
    return f"{none}, as nothing was killed. Race again, and kill both in the middle."


def _some(number: int | None) -> str:
    return f"{number:,}" if number else "none"


def _twice(side: Side) -> str:
    return f", and has {side.doubled:,} twice" if side.doubled else ""
