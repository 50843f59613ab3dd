"""The verdict of a proof: what was counted, and whether it proves the promise."""

from enum import StrEnum

import msgspec

EXAMPLES = 10  # ids of users named for each kind of failure


class Failure(StrEnum):
    """What can be wrong with a user; the values are the fields of `Counts` that count it."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    PENDING = "pending"
    DEAD_LETTER = "dead_letters"


class FaultReport(msgspec.Struct, frozen=True, rename="camel"):
    """What came of one fault."""

    fault: str
    #: Names of the parts that it struck.
    targets: list[str]
    #: How many users had been acknowledged when it struck.
    after_users: int
    #: Whether the process was seen to end, or to stand still.
    seen: bool
    #: From the strike until every part was back and a user acknowledged after that was SYNCRONIZED; where an
    #: instance stood still, others had finished its users by then. None: never.
    seconds_to_recover: float | None


class Counts(msgspec.Struct, rename="camel"):
    """Ledger, PostgreSQL and MongoDB, compared user by user."""

    acknowledged: int = 0
    in_postgres: int = 0
    in_mongodb: int = 0
    synchronized: int = 0
    #: Acknowledged, and missing in PostgreSQL or in MongoDB.
    lost: int = 0
    #: Users or documents beyond one for each key, and stages recorded twice.
    doubled: int = 0
    #: Not what was sent, in the event, the rows or the document; or with stages that contradict the status.
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
    """All that a proof has to say. `proven` is its exit code."""

    proven: bool
    users: int
    counts: Counts
    faults: list[FaultReport]
    #: Why users were sent again, and how often; no failure.
    sent_again: dict[str, int]
    seconds: float
    seed: str
    random_seed: int
    ledger: str


def is_proven(users: int, counts: Counts, faults: list[FaultReport]) -> bool:
    """Whether every user was acknowledged and kept once and as sent, and every fault struck and passed."""
    failures = (counts.lost, counts.doubled, counts.differing, counts.pending, counts.dead_letters)
    everybody = counts.acknowledged == counts.in_postgres == counts.in_mongodb == counts.synchronized == users
    return (
        everybody
        and not any(failures)
        and all(fault.seen and fault.seconds_to_recover is not None for fault in faults)
    )
