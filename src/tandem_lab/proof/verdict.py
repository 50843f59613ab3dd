"""The verdict of a proof: what was counted, and whether that proves the promises."""

from enum import StrEnum

import msgspec

EXAMPLES = 10  # ids of users named for each kind of failure


class Failure(StrEnum):
    """What can be wrong with a user. The values are the names of the fields of `Counts`."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    PENDING = "pending"
    DEAD_LETTER = "dead_letters"


class FaultReport(msgspec.Struct, frozen=True, rename="camel"):
    """What came of one fault."""

    fault: str
    #: Names of the parts that it happened to.
    targets: list[str]
    #: How many users had been acknowledged when it happened.
    after_users: int
    #: Whether the process was seen to end, or to be stopped.
    seen: bool
    #: The time from the fault until every part was ready and a user acknowledged after that was SYNCRONIZED.
    #: By then other instances had synchronized the users of a stopped one. None: this did not happen in time.
    seconds_to_recover: float | None


class Counts(msgspec.Struct, rename="camel"):
    """Ledger, PostgreSQL and MongoDB, compared user by user."""

    acknowledged: int = 0
    in_postgres: int = 0
    in_mongodb: int = 0
    synchronized: int = 0
    #: Acknowledged, and missing in PostgreSQL or in MongoDB.
    lost: int = 0
    #: Users or documents beyond the one of each key, and stages recorded twice.
    doubled: int = 0
    #: Event, rows or document are not what was sent, or the stages contradict the status.
    differing: int = 0
    #: Still on their way to MongoDB.
    pending: int = 0
    dead_letters: int = 0
    #: The first ids of each kind of failure.
    examples: dict[str, list[int]] = {}

    def fail(self, failure: Failure, user_id: int) -> None:
        """Count a failure of a user."""
        setattr(self, failure, getattr(self, failure) + 1)
        examples = self.examples.setdefault(failure, [])
        if len(examples) < EXAMPLES:
            examples.append(user_id)


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """The result of a proof. `proven` decides the exit code."""

    proven: bool
    users: int
    counts: Counts
    faults: list[FaultReport]
    #: Why users were sent again, and how often. This is no failure.
    sent_again: dict[str, int]
    seconds: float
    seed: str
    random_seed: int
    ledger: str


def is_proven(users: int, counts: Counts, faults: list[FaultReport]) -> bool:
    """Whether every user was acknowledged and stored once, as it was sent, and every fault passed."""
    failures = (counts.lost, counts.doubled, counts.differing, counts.pending, counts.dead_letters)
    everybody = counts.acknowledged == counts.in_postgres == counts.in_mongodb == counts.synchronized == users
    return (
        everybody
        and not any(failures)
        and all(fault.seen and fault.seconds_to_recover is not None for fault in faults)
    )
