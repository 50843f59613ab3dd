"""What an instance has in flight of each run: counted once a second, so that no user pays for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tandem.runs.samples import RunInFlight

# Of more runs at a time, only those with the most users in flight are published.
MOST_RUNS = 20
# For so many runs it is remembered whose users were claimed.
MOST_REMEMBERED_RUNS = 20


class OfRun(Protocol):
    """What belongs to a run."""

    @property
    def seed(self) -> str:
        """The run."""


class Created(OfRun, Protocol):
    """A user, or another aggregate."""

    @property
    def app_id(self) -> str:
        """The instance that created it."""


class ClaimedUsers:
    """How many users recovery has claimed, by run (the last few) and by the instance that created them."""

    def __init__(self) -> None:
        self.by_run: dict[str, Counter[str]] = {}

    def count(self, users: Sequence[Created]) -> None:
        """Count these."""
        for user in users:
            self.by_run.setdefault(user.seed, Counter())[user.app_id] += 1
        while len(self.by_run) > MOST_REMEMBERED_RUNS:
            del self.by_run[next(iter(self.by_run))]


def in_flight_by_run(
    creating: Iterable[OfRun],
    writing_back: Iterable[OfRun],
    claimed_from: Mapping[str, Mapping[str, int]],
    app_id: str,
) -> dict[str, RunInFlight]:
    """Seed to what this instance (`app_id`) has in flight of that run, and has taken over from others."""
    creates = Counter(command.seed for command in creating)
    write_backs = Counter(command.seed for command in writing_back)
    busiest = [seed for seed, _ in (creates + write_backs).most_common(MOST_RUNS)]
    return {
        seed: RunInFlight(
            creates[seed],
            write_backs[seed],
            {creator: users for creator, users in claimed_from.get(seed, {}).items() if creator != app_id},
        )
        for seed in dict.fromkeys([*busiest, *claimed_from])
    }
