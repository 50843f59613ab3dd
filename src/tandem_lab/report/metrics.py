"""The numbers of a measurement, each with its name, its unit, and which way is better."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from tandem_lab.bench.load_kinds import CHANGES, CONTENDED, Kind
from tandem_lab.bench.results import Measurement, is_read
from tandem_lab.histogram import Percentiles

#: What the stack runs. The load generator is not part of it.
SERVERS = ("instances", "postgres", "mongodb", "nginx", "haproxy")
#: What the CPU of the instances is divided into. The first runs on one core of each instance.
THREADS = ("event-loop", "other-threads")
COMPONENT_NAMES = {
    "postgres": "PostgreSQL",
    "mongodb": "MongoDB",
    "haproxy": "HAProxy",
    "program": "the baseline itself",
    "event-loop": "event loop",
    "other-threads": "instances' other threads",
}
PERCENTILE_NAMES = {"p50": "p50", "p90": "p90", "p99": "p99", "p99_9": "p99.9", "max": "max"}


class Metric(msgspec.Struct, frozen=True):
    """What was measured. `better` is None if neither more nor less is better."""

    name: str
    unit: str
    better: Literal["more", "less"] | None = None


def metrics_of(measurement: Measurement) -> dict[Metric, float]:
    """Every number of a measurement, in the order in which people ask for them."""
    return dict(_metrics(measurement))


def component_name(component: str) -> str:
    """The name of a component for people."""
    return COMPONENT_NAMES.get(component, component)


def servers_cpu(measurement: Measurement) -> float:
    """CPU us that all servers together spend on a user (or a read)."""
    return sum(cpu for name, cpu in measurement.cpu_us_per_user.items() if name in SERVERS)


def cpu_by_thread(measurement: Measurement) -> dict[str, float]:
    """CPU us of each component; that of the instances is divided by thread, where this is known."""
    cost, event_loop = measurement.cpu_us_per_user, measurement.event_loop_us_per_user
    if event_loop is None or "instances" not in cost:
        return cost
    threads = (event_loop, max(0.0, round(cost["instances"] - event_loop, 1)))
    others = {name: used for name, used in cost.items() if name != "instances"}
    return dict(zip(THREADS, threads, strict=True)) | others


def _metrics(measurement: Measurement) -> Iterator[tuple[Metric, float]]:
    changes = measurement.kind in CHANGES | CONTENDED
    thing = "read" if is_read(measurement) else "command" if changes else "user"
    thing = "aggregate" if measurement.kind == Kind.AGGREGATE else thing
    for stage, rate in measurement.per_second.items():
        yield Metric(stage, f"{thing}s/s", "more"), rate
    yield from _percentiles("answer", measurement.post_ms)
    yield from _percentiles("lag", measurement.lag_ms)
    cpu = measurement.cpu_us_per_user
    if any(name in cpu for name in SERVERS):
        yield Metric("CPU: all servers", f"µs/{thing}", "less"), servers_cpu(measurement)
    for name, used in (cpu | cpu_by_thread(measurement)).items():
        better: Literal["less"] | None = "less" if name in {*SERVERS, *THREADS} else None
        yield Metric(f"CPU: {component_name(name)}", f"µs/{thing}", better), used
    for metric, value in _surroundings(measurement):
        if value is not None:
            yield metric, value


def _surroundings(measurement: Measurement) -> Iterator[tuple[Metric, float | None]]:
    """What else the load used, what else the machine did, and what the load generator used."""
    for name, size in measurement.memory_mib.items():
        yield Metric(f"memory: {component_name(name)}", "MiB"), size
    for stage, size in measurement.mean_batch.items():
        yield Metric(f"batch: {stage}", "users"), size
    yield Metric("PostgreSQL's log", "bytes/user"), measurement.wal_bytes_per_user
    yield Metric("MongoDB's journal", "bytes/user"), measurement.journal_bytes_per_user
    for name, stored in measurement.stored_bytes_per_user.items():
        yield Metric(f"stored in {component_name(name)}", "bytes/user"), stored
    for name, threads in measurement.waiting_for_core.items():
        yield Metric(f"waiting for a core: {component_name(name)}", "threads"), threads
    yield Metric("idle for the disk", "cores"), measurement.waiting_for_disk
    yield Metric("busy with other programs", "cores"), measurement.others_busy
    if cost := measurement.generator:
        yield Metric("generator: busy", "of one core"), cost.busy
        yield Metric("generator: latest request", "ms"), cost.latest_ms


def _percentiles(of: str, found: Percentiles | None) -> Iterator[tuple[Metric, float]]:
    for field, name in PERCENTILE_NAMES.items() if found else ():
        yield Metric(f"{of} {name}", "ms", "less"), getattr(found, field)
