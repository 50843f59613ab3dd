"""The verdict of a proof: what was counted, and whether that proves the promises."""

from enum import StrEnum

import msgspec

EXAMPLES = 10  # ids of users named for each kind of failure


class Failure(StrEnum):
    """What can be wrong with a user. The values are the names of the fields of `Counts`."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    RESURRECTED = "resurrected"
    UNACKNOWLEDGED = "unacknowledged"
    PENDING = "pending"
    DEAD_LETTER = "dead_letters"
    MISPLACED = "misplaced"
    UNREADABLE = "unreadable"
    UNEQUAL = "unequal"


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
    #: The longest time in which no command was acknowledged: of the cell that it happened to, or of all.
    seconds_without_commits: float = 0.0
    #: When it began, in seconds since 1970.
    began_at: float = 0.0
    #: The most that were seen to be pending meanwhile. None: nobody looked.
    most_pending: int | None = None


class Counts(msgspec.Struct, rename="camel"):
    """Ledger, PostgreSQL and MongoDB, compared user by user."""

    #: Users that were created.
    acknowledged: int = 0
    in_postgres: int = 0
    #: Documents. Of deleted users there are none.
    in_mongodb: int = 0
    #: Users of which MongoDB has acknowledged the last version.
    synchronized: int = 0
    #: Acknowledged, and missing: users in PostgreSQL or in MongoDB, updates and deletions in the events.
    lost: int = 0
    #: Users, documents or versions beyond the one of each command, and stages recorded twice.
    doubled: int = 0
    #: Events, rows or document are not what was asked for, or contradict each other.
    differing: int = 0
    #: Still on their way to MongoDB.
    pending: int = 0
    dead_letters: int = 0
    #: Updates that were acknowledged, and users that were deleted or erased.
    updated: int = 0
    deleted: int = 0
    #: Deleted users that have a document, or rows of somebody who lives.
    resurrected: int = 0
    #: Versions of which no acknowledged command is the cause.
    unacknowledged: int = 0
    #: Of several cells: ids that name another cell than the one they are in.
    misplaced: int = 0
    #: Of cells: users that a read through the load balancer did not show as they were acknowledged.
    unreadable: int = 0
    #: Of cells: what `tandem verify` found to differ, whoever has written it.
    unequal: int = 0
    #: The first ids of each kind of failure.
    examples: dict[str, list[int]] = {}

    def fail(self, failure: Failure, user_id: int) -> None:
        """Count a failure of a user."""
        setattr(self, failure, getattr(self, failure) + 1)
        examples = self.examples.setdefault(failure, [])
        if len(examples) < EXAMPLES and user_id not in examples:
            examples.append(user_id)


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """The result of a proof. `proven` decides the exit code."""

    proven: bool
    users: int
    counts: Counts
    faults: list[FaultReport]
    #: Why commands were sent again, and how often. This is no failure.
    sent_again: dict[str, int]
    seconds: float
    seed: str
    random_seed: int
    ledger: str
    #: The shares of creations, updates and deletions.
    mix: str = ""
    #: What was proved: users, or an aggregate's plural. All that is said of users holds for these.
    things: str = "users"
    #: How many commands were rejected because of what others had done, by status. This is no failure.
    rejected: dict[str, int] = {}
    #: How many cells; 0: a system without cells.
    cells: int = 0
    #: What explains the failures, in sentences.
    reasons: list[str] = []
    #: Faults that could not be tried, each with the reason.
    left_out: list[str] = []


def is_proven(users: int, counts: Counts, faults: list[FaultReport]) -> bool:
    """Whether all that was acknowledged is there once, as it was asked for, and every fault passed."""
    return (
        counts.acknowledged == counts.in_postgres == counts.synchronized == users
        and counts.in_mongodb == users - counts.deleted
        and not any(getattr(counts, failure) for failure in Failure)
        and all(fault.seen and fault.seconds_to_recover is not None for fault in faults)
    )
