"""Reports for the tests: a real one, and others made of its measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from places import DATA
from tandem_lab.bench.mix import Mix, Observed
from tandem_lab.bench.results import Measurement, OwnWrites, PeerFacts, Report
from tandem_lab.bench.slo import Bound, LimitsReport, Step, Subject
from tandem_lab.bench.soak import UNITS, Growth, SoakPlan, SoakReport, Window
from tandem_lab.histogram import Percentiles
from tandem_lab.proof.peers import PeerCounts, PeersVerdict, PeerVerdict
from tandem_lab.proof.verdict import FaultReport

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


def baseline(kind: str, rates: Sequence[float]) -> list[Measurement]:
    """Rounds of a baseline."""
    return [
        Measurement(kind=kind, round=number, users=1000, seconds=1.0, per_second={"synchronized": rate})
        for number, rate in enumerate(rates, 1)
    ]


def reads(kind: str, rate: float) -> Measurement:
    """One round of reads, of the service or of a baseline."""
    return Measurement(kind=kind, round=1, users=1000, seconds=1.0, connections=50, per_second={"read": rate})


def changes(
    kind: str, rates: Sequence[float], exponent: float | None = None, conflicts: int = 0
) -> list[Measurement]:
    """Rounds of changes at these rates, with so many answers 412 beside 1,000 that were accepted."""
    statuses = {"200": 1000, "412": conflicts}
    return [
        msgspec.structs.replace(each, kind=kind, exponent=exponent, statuses=statuses)
        for each in closed(rates)
    ]


def beside_users(aggregates: Sequence[float], users: Sequence[float]) -> Report:
    """A report of rounds in which orders and users of their size were created at these rates."""
    rounds = {"aggregate": closed(aggregates), "users of its size": closed(users)}
    found = [msgspec.structs.replace(one, kind=kind) for kind, some in rounds.items() for one in some]
    sizes = {"name": "orders", "bytes_of_its_first_event": 179, "bytes_of_created": 176}
    return quiet(*found, aggregate=sizes)


def quiet(*measurements: Measurement, **changes: object) -> Report:
    """A report of these measurements, from a machine that did nothing else."""
    report = sample()
    return msgspec.structs.replace(
        report,
        measurements=list(measurements),
        environment=report.environment | {"others_busy": 0.0} | changes,
    )


def over_cells(rates: Mapping[int, Sequence[float]]) -> Report:
    """A report of rounds over so many cells, each with a quarter of a core."""
    found = [
        msgspec.structs.replace(
            each,
            cells=cells,
            connections=40 * cells,
            event_loop_us_per_user=60.0,
            stored_bytes_per_user={"postgres": 4000.0, "mongodb": 1000.0},
            cpu_us_per_user={"instances": 100.0, "postgres": 60.0, "mongodb": 40.0, "haproxy": 20.0},
        )
        for cells, of_cells in rates.items()
        for each in closed(of_cells, instances=cells)
    ]
    return msgspec.structs.replace(quiet(*found, cpu_per_cell=0.25), kind="scale")


def of_peer(
    name: str, rates: Sequence[float], answer_ms: float = 4.0, lag_ms: float = 30.0
) -> list[Measurement]:
    """Rounds of the three loads of a peer that carries this many; p99 is ten times these."""
    return [
        msgspec.structs.replace(
            each,
            peer=name,
            kind="open" if is_half else "closed",
            connections=connections,
            rate_due=rates[each.round - 1] / 2 if is_half else None,
            post_ms=Percentiles(answer_ms, answer_ms, 10 * answer_ms, 10 * answer_ms, 10 * answer_ms),
            lag_ms=Percentiles(lag_ms, lag_ms, 10 * lag_ms, 10 * lag_ms, 10 * lag_ms),
            memory_mib={"instances": 50.0},
        )
        for connections, is_half in [(200, False), (6, False), (200, True)]
        for each in closed(rates)
    ]


def side_by_side(*measured: Sequence[Measurement], **changes: object) -> Report:
    """A report of peers: of these, or of tandem and two that carry less, one of which is sooner."""
    found = measured or (
        of_peer("tandem", [4000.0, 4100.0, 4200.0]),
        of_peer("dual", [100.0, 110.0, 120.0], answer_ms=3.0, lag_ms=2.0),
        of_peer("outbox", [500.0, 510.0, 520.0], lag_ms=60.0),
    )
    facts = [
        PeerFacts(
            each[0].peer, f"What {each[0].peer} is.", each[0].peer == "tandem", 100 + 50 * n, {"lib": "1.2"}
        )
        for n, each in enumerate(found)
    ]
    report = quiet(*(each for one in found for each in one))
    return msgspec.structs.replace(report, kind="peers", peers=facts, **changes)


def proved(**counts: PeerCounts) -> PeersVerdict:
    """What a proof of these peers would say, with a fault that each of them came back from after 1.5 s."""
    verdicts = [
        PeerVerdict(
            peer=name,
            what="",
            accepts_keys=name == "tandem",
            holds=not (count.lost or count.doubled),
            users=500,
            counts=count,
            faults=[FaultReport("kill-instance", ["instance"], 100, seen=True, seconds_to_recover=1.5)],
            sent_again={"503": 12},
            seconds=9.0,
            seconds_until_all=1.0,
            ledger="",
            reasons=["It had no key to prevent it."] if count.doubled else [],
        )
        for name, count in counts.items()
    ]
    holds = all(each.holds for each in verdicts)
    return PeersVerdict(holds, verdicts, "seed", 1, 10, 60.0, 10.0)


def everything() -> Report:
    """A report in which every section has something."""
    grown = [each for n in range(1, 7) for each in closed([n * 900.0, n * 910.0, n * 890.0], n)]
    more = [baseline(kind, [500.0, 505.0]) for kind in ("frozen floor", "plain way", "one at a time in C")]
    opened = [each for each in sample().measurements if each.kind == "open"]
    return msgspec.structs.replace(
        sample(),
        measurements=[
            *(msgspec.structs.replace(each, instances=6) for each in opened),
            *grown,
            *(each for rounds in more for each in rounds),
            *(each for kind in ("update", "delete") for each in changes(kind, [700.0, 705.0])),
            *(each for exponent in (0.0, 1.0) for each in changes("contended update", [900.0], exponent)),
            *changes("contended update, If-Match", [800.0], 0.0),
            *changes("contended update, If-Match", [90.0], 1.0, conflicts=3000),
            *(reads(kind, 1500.0) for kind in ("read by id", "read by e-mail", "list", "plain find_one")),
        ],
        own_writes=[OwnWrites("update", 500, 0.25, 0.0, Percentiles(1.0, 2.0, 3.0, 4.0, 5.0), 0)],
    )


def under_limits() -> LimitsReport:
    """Two systems, each at three rates, the last of which is too much."""
    bounds = (Bound("lag_p99", 50, "lag_p99 < 50 ms"),)
    steps = []
    for rate, p99 in ((1000.0, 9.0), (2000.0, 20.0), (3000.0, 90.0)):
        lag = {"lag": Percentiles(p99 / 3, p99 / 2, p99, p99, p99)}
        seen = Observed(rate=rate, seconds=5, ms=lag, per_second={}, errors=0, late_seconds=0)
        steps.append(Step(seen, ["lag_p99 is 90 ms"] if p99 > 50 else []))
    subjects = [Subject(name, 4000, steps, f"{name} holds it at 2,000.", 2000) for name in ("tandem", "dual")]
    return LimitsReport(bounds=bounds, mix=Mix(), subjects=subjects, **BEGUN)


def soaked() -> SoakReport:
    """An hour in which memory grows."""
    windows = [
        Window(minute / 60, {group: {"instances": 10.0 + minute} for group in UNITS}) for minute in range(60)
    ]
    growth = [Growth("memory of instances", "MiB", 60, 59, 61)]
    plan = SoakPlan(3600, 1000)
    return SoakReport(plan=plan, windows=windows, growth=growth, answer="Memory grows.", **BEGUN)


BEGUN: dict[str, Any] = {"begun_at": "2026-01-02", "command": ["tandem"], "environment": {}, "delays": {}}
