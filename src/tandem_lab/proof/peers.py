"""What a proof says of other systems, and of our own by the same six calls (`tandem_lab.peers.protocol`)."""

from enum import StrEnum

import msgspec

from tandem_lab.proof.verdict import EXAMPLES, FaultReport


class Wrong(StrEnum):
    """What can be wrong with a user of a peer. The values are the names of the fields of `PeerCounts`."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    LATE = "late"


class PeerCounts(msgspec.Struct, rename="camel"):
    """The ledger and both stores, compared address by address."""

    acknowledged: int = 0
    #: Answered for good that it is not accepted, after an earlier try that was not answered. No failure.
    refused: int = 0
    #: Addresses of this run that the store has, acknowledged or not.
    in_first: int = 0
    in_second: int = 0
    #: Acknowledged, and in one store or in both still missing when nothing had moved for the patience.
    lost: int = 0
    #: Those of the lost that the first store has: they never arrived.
    never_arrived: int = 0
    #: Addresses that a store has more than once.
    doubled: int = 0
    #: Those of the doubled that were sent more than once, as whoever gets no answer does.
    doubled_sent_again: int = 0
    #: A store has other fields than those that were sent.
    differing: int = 0
    #: In the second store in the end, but not in time after the last acknowledgement and the last fault.
    late: int = 0
    #: The first addresses of each kind of failure, and of those that differ what does.
    examples: dict[str, list[str]] = {}

    def fail(self, wrong: Wrong, example: str) -> None:
        """Count a failure of an address."""
        setattr(self, wrong, getattr(self, wrong) + 1)
        examples = self.examples.setdefault(wrong, [])
        if len(examples) < EXAMPLES:
            examples.append(example)


class PeerVerdict(msgspec.Struct, frozen=True, rename="camel"):
    """What came of one peer. `holds`: all was acknowledged, nothing is wrong, and every fault has passed."""

    peer: str
    what: str
    accepts_keys: bool
    holds: bool
    #: How many were to be created.
    users: int
    counts: PeerCounts
    #: Seconds to recover: from the fault until a user acknowledged after it was in the second store.
    faults: list[FaultReport]
    #: Why commands were sent again, and how often. This is no failure.
    sent_again: dict[str, int]
    seconds: float
    #: From the last acknowledgement and fault until both stores had all; None: something was lost.
    seconds_until_all: float | None
    ledger: str
    #: What explains the failures, in sentences.
    reasons: list[str] = []
    #: Faults that could not be tried, each with the reason.
    left_out: list[str] = []
    #: Why it could not be judged at all, or to the end.
    broken_off: str = ""


class PeersVerdict(msgspec.Struct, frozen=True, rename="camel"):
    """The result of `tandem prove --peers`. `holds` decides the exit code."""

    holds: bool
    peers: list[PeerVerdict]
    seed: str
    random_seed: int
    connections: int
    patience_seconds: float
    late_seconds: float
