"""What the lab measures, in the form of the JSON of a report."""

from collections.abc import Iterable
from statistics import median
from typing import Any

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.histogram import LatencyHistogram, Percentiles


class Sample(msgspec.Struct, frozen=True):
    """How many users of a run had reached each stage at a time."""

    seconds: float
    accepted: int
    stored: int
    projected: int
    synchronized: int


class GeneratorCost(msgspec.Struct, frozen=True):
    """What the load generator used. With `busy` near 1, the generator was measured and not the service."""

    cpu_us_per_request: float
    busy: float
    latest_ms: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one kind of load. Rates are per second, CPU is user and system time."""

    #: `closed` or `open` for creates, the name of another load, or that of a baseline.
    kind: Kind
    #: The name of the peer that was measured; "" is the stack itself, or a baseline.
    peer: str = ""
    round: int
    users: int
    seconds: float
    #: Users per second that reached each stage; a baseline has only `synchronized`.
    per_second: dict[str, float]
    instances: int = 0
    #: Over how many cells; 0: a system without cells.
    cells: int = 0
    #: Whether the load came through the load balancer.
    through_nginx: bool = False
    connections: int = 0
    rate_due: float | None = None
    #: Of a contended load: the k-th user has a share of k to the power of -exponent of all updates.
    exponent: float | None = None
    #: The time from when a request was due (open) or sent (closed) to its answer.
    post_ms: Percentiles | None = None
    post_histogram: LatencyHistogram | None = None
    #: The time from CREATED to SYNCRONIZED, of every user. Of a peer: see `tandem_lab.bench.arrivals`.
    lag_ms: Percentiles | None = None
    #: The mean of that; only of a peer. Less than 0 if most users were there before they were acknowledged.
    mean_lag_ms: float | None = None
    #: How many users a peer had acknowledged and not brought to its second store when the wait was over.
    not_arrived: int = 0
    cpu_us_per_user: dict[str, float] = {}
    #: Of that of the instances: what is spent on the threads of their event loops.
    event_loop_us_per_user: float | None = None
    #: When the load ended; a page that processes share counts in parts (PSS).
    memory_mib: dict[str, float] = {}
    #: Average numbers: of threads that were ready and had no core, and of cores that waited for the disk.
    waiting_for_core: dict[str, float] = {}
    waiting_for_disk: float | None = None
    #: How many cores other programs kept busy meanwhile; None if this was not measured.
    others_busy: float | None = None
    mean_batch: dict[str, float] = {}
    wal_bytes_per_user: float | None = None
    journal_bytes_per_user: float | None = None
    #: Of users that were created: what they take in each database, indexes included.
    stored_bytes_per_user: dict[str, float] = {}
    #: Answers by status; a 412, to a change that expects a version, is no failure.
    statuses: dict[str, int] = {}
    users_of_instances: dict[str, int] = {}
    generator: GeneratorCost | None = None
    series: list[Sample] = []


class OwnWrites(msgspec.Struct, frozen=True):
    """How reads at once after a command were answered that wanted its version, on the query side."""

    #: `create` or `update`.
    after: str
    #: After each command came a read without a wait, and one that would wait for MongoDB.
    commands: int
    #: The share of those without a wait that PostgreSQL answered, as MongoDB did not have the version yet.
    missed_share: float
    #: The share of the others that PostgreSQL answered in the end.
    not_waited_out_share: float
    #: How long the others took.
    wait_ms: Percentiles | None
    #: How many of all were answered with an earlier version, or with none: it must be 0.
    outdated: int


class PeerFacts(msgspec.Struct, frozen=True):
    """What a report says of a peer beside its measurements, which have its name as `peer`."""

    name: str
    #: What it is, in a sentence.
    what: str
    accepts_keys: bool
    #: Lines of its sources that are neither blank nor comments; 0 if it names no sources.
    lines: int
    #: The libraries that it is made with, and their versions; "" where that cannot be found out.
    made_with: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of a report's raw data."""

    #: `bench`, `scale` or `peers`.
    kind: str
    begun_at: str
    command: list[str]
    environment: dict[str, Any]
    measurements: list[Measurement]
    own_writes: list[OwnWrites] = []
    #: Of a report of peers: all that were measured, in the order in which they were named.
    peers: list[PeerFacts] = []
    #: What could not be measured, each with the reason, in sentences.
    left_out: list[str] = []


def rate_of(measurement: Measurement) -> float:
    """The main rate of a measurement, per second: synchronized users, or reads. 0.0 if unknown."""
    return measurement.per_second.get("synchronized", measurement.per_second.get("read", 0.0))


def highest_rate(measurements: Iterable[Measurement], kind: Kind) -> float:
    """The rate of a load as fast as it goes, over the most connections: the median of the rounds, or 0.0."""
    flat_out = [each for each in measurements if each.kind == kind and each.rate_due is None]
    connections = max((each.connections for each in flat_out), default=0)
    rates = [rate_of(each) for each in flat_out if each.connections == connections]
    return median(rates) if rates else 0.0


def is_read(measurement: Measurement) -> bool:
    """Whether it read users instead of creating them."""
    return "read" in measurement.per_second
