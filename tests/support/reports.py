"""Reports for the tests: a real one, and others made of its measurements."""

from collections.abc import Sequence

import msgspec

from places import DATA
from tandem_lab.bench.results import Measurement, Report

SAMPLE = DATA / "sample_report.json"


def sample() -> Report:
    """A real report, made while other programs kept the machine busy; its series are thinned out."""
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report)


def closed(rates: Sequence[float], instances: int = 1, cpu_us: float = 100.0) -> list[Measurement]:
    """Rounds of a closed load that went at these rates."""
    first = sample().measurements[0]
    return [
        msgspec.structs.replace(
            first,
            round=number,
            instances=instances,
            per_second={"accepted": rate, "synchronized": rate},
            cpu_us_per_user={"instances": cpu_us, "postgres": 40.0},
        )
        for number, rate in enumerate(rates, 1)
    ]


def yardstick(kind: str, rates: Sequence[float]) -> list[Measurement]:
    """Rounds of a yardstick."""
    return [
        Measurement(kind=kind, round=number, users=1000, seconds=1.0, per_second={"synchronized": rate})
        for number, rate in enumerate(rates, 1)
    ]


def reads(kind: str, rate: float) -> Measurement:
    """One round of reads, of the service or of a yardstick."""
    return Measurement(kind=kind, round=1, users=1000, seconds=1.0, connections=50, per_second={"read": rate})


def quiet(*measurements: Measurement, **changes: object) -> Report:
    """A report of these measurements, from a machine that did nothing else."""
    report = sample()
    return msgspec.structs.replace(
        report,
        measurements=list(measurements),
        environment=report.environment | {"others_busy": 0.0} | changes,
    )
