"""A long measurement as a list of steps, so that people see what runs and how long it will take."""

import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from tandem_lab.bench.results import Measurement

WARM_UP_CONNECTIONS = 50
# How much longer a load takes than its seconds: users are prepared before, and arrive after.
OVERHEAD = 1.7


#: What a step does. It returns what it has measured, if anything.
Work = Callable[[], Awaitable[list[Measurement] | None]]


class Step(msgspec.Struct, frozen=True):
    """One thing to do: what, in a few words; about how many seconds it takes; and the work itself."""

    what: str
    seconds: float
    work: Work


class Progress(msgspec.Struct, frozen=True):
    """How far a measurement is: step `number` of `of` begins now, and so much is still to do."""

    number: int
    of: int
    what: str
    share_done: float
    seconds_left: float


#: What is called with each step when it begins.
Tell = Callable[[Progress], None]


async def take_steps(steps: Sequence[Step], found: list[Measurement], tell: Tell) -> None:
    """Take all steps in their order, and add what they measure to `found`.

    The time left is estimated from the seconds of the steps, and corrected by how long the earlier ones took.
    """
    total, done, began = sum(step.seconds for step in steps), 0.0, time.monotonic()
    for number, step in enumerate(steps, 1):
        pace = (time.monotonic() - began) / done if done else 1.0
        tell(Progress(number, len(steps), step.what, done / total, (total - done) * pace))
        found += await step.work() or []
        done += step.seconds
