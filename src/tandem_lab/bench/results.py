"""What the lab measures, as it stands in the JSON of a report."""

from typing import Any

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.histogram import LatencyHistogram, Percentiles


class Sample(msgspec.Struct, frozen=True):
    """How far a run had come at a time: users that had reached each stage."""

    seconds: float
    accepted: int
    stored: int
    projected: int
    synchronized: int


class GeneratorCost(msgspec.Struct, frozen=True):
    """What the load generator itself took; near a busy share of 1 it is what was measured."""

    cpu_us_per_request: float
    busy: float
    latest_ms: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one kind of load. Rates are per second, CPU is user and system time."""

    #: `closed` or `open` for creates, the name of a read, or that of a baseline.
    kind: Kind
    round: int
    users: int
    seconds: float
    #: Users per second that reached each stage; a baseline has only `synchronized`.
    per_second: dict[str, float]
    instances: int = 0
    #: Whether the load came through the load balancer.
    through_nginx: bool = False
    connections: int = 0
    rate_due: float | None = None
    #: From when a request was due (open) or sent (closed) to its answer.
    post_ms: Percentiles | None = None
    post_histogram: LatencyHistogram | None = None
    #: From CREATED to SYNCRONIZED, of every user.
    lag_ms: Percentiles | None = None
    cpu_us_per_user: dict[str, float] = {}
    memory_mib: dict[str, float] = {}
    #: Threads of each component that were ready and had no core, and cores idle for the disk; means.
    waiting_for_core: dict[str, float] = {}
    waiting_for_disk: float | None = None
    #: Cores that programs which are none of ours kept busy meanwhile; None where nobody looked.
    others_busy: float | None = None
    mean_batch: dict[str, float] = {}
    wal_bytes_per_user: float | None = None
    journal_bytes_per_user: float | None = None
    #: Answers by status; anything but 201 (or 200 for reads) is a failure.
    statuses: dict[str, int] = {}
    users_of_instances: dict[str, int] = {}
    generator: GeneratorCost | None = None
    series: list[Sample] = []


class Staleness(msgspec.Struct, frozen=True):
    """How often a user was not on the query side yet when read at once after its 201, and how soon it was."""

    users: int
    missed_share: float
    visible_after_ms: Percentiles | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of a report's raw data."""

    #: `bench` or `scale`.
    kind: str
    begun_at: str
    command: list[str]
    environment: dict[str, Any]
    measurements: list[Measurement]
    staleness: Staleness | None = None
    #: What was to be measured and could not be, each with its reason, in sentences.
    left_out: list[str] = []
