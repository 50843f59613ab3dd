"""The numbers that a threshold can speak of, each under a name of its own."""

from collections.abc import Callable, Mapping

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, Report
from tandem_lab.histogram import Percentiles
from tandem_lab.report.analysis import (
    Quantity,
    RatioId,
    failures,
    generator_busy,
    half_load,
    others_busy,
    ratios,
)
from tandem_lab.report.metrics import rate_of, servers_cpu
from tandem_lab.report.runs import Runs, runs_of, saturation_runs


class Headline(msgspec.Struct, frozen=True):
    """What the number is, its unit, and how it is read from a report; None where it was not measured."""

    what: str
    unit: str
    value: Callable[[Report], float | None]


def _saturated(value: Callable[[Measurement], float]) -> Callable[[Report], float | None]:
    def find(report: Report) -> float | None:
        runs = saturation_runs(runs_of(report))
        return runs.spread(value).median if runs is not None else None

    return find


def _at_half(of: str, percentile: str) -> Callable[[Report], float | None]:
    def find(report: Report) -> float | None:
        runs = _half(report)
        found: Percentiles | None = getattr(runs.typical, of) if runs is not None else None
        return getattr(found, percentile) if found is not None else None

    return find


def _half(report: Report) -> Runs | None:
    runs = runs_of(report)
    saturated = saturation_runs(runs)
    return half_load(runs, saturated.key.instances) if saturated is not None else None


def _ratio(
    of: Kind, to: Kind, quantity: Quantity = Quantity.USERS_A_SECOND, instances: int = 0
) -> Callable[[Report], float | None]:
    wanted = RatioId(of, to, quantity, instances)

    def find(report: Report) -> float | None:
        return next((each.spread.median for each in ratios(report) if each.id == wanted), None)

    return find


def _read(kind: Kind) -> Callable[[Report], float | None]:
    def find(report: Report) -> float | None:
        found = [each for each in runs_of(report) if each.key.kind == kind]
        return max((each.rate.median for each in found), default=None)

    return find


HEADLINES: Mapping[str, Headline] = {
    "users-per-second": Headline(
        "users SYNCRONIZED at saturation", "users/s", _saturated(lambda each: rate_of(each) or 0.0)
    ),
    "ratio-to-frozen-floor": Headline(
        "that rate to the frozen floor's", "", _ratio(Kind.CLOSED, Kind.FROZEN_FLOOR)
    ),
    "ratio-to-current-floor": Headline(
        "that rate to the floor's of today", "", _ratio(Kind.CLOSED, Kind.CURRENT_FLOOR)
    ),
    "ratio-to-plain-way": Headline("that rate to the plain way's", "", _ratio(Kind.CLOSED, Kind.PLAIN_WAY)),
    "ratio-to-pgbench": Headline("that rate to pgbench's best", "", _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME)),
    "answer-p50-to-pgbench": Headline(
        "answer p50 at 6 connections to pgbench's at 6 clients",
        "",
        _ratio(Kind.CLOSED, Kind.ONE_AT_A_TIME, Quantity.ANSWER_TIME),
    ),
    "lag-p50-at-half": Headline("lag p50 at half of the saturation", "ms", _at_half("lag_ms", "p50")),
    "lag-p99-at-half": Headline("lag p99 at half of the saturation", "ms", _at_half("lag_ms", "p99")),
    "answer-p50-at-half": Headline("answer p50 at half of the saturation", "ms", _at_half("post_ms", "p50")),
    "answer-p99-at-half": Headline("answer p99 at half of the saturation", "ms", _at_half("post_ms", "p99")),
    "cpu-of-instances": Headline(
        "CPU of the instances for a user at saturation",
        "µs",
        _saturated(lambda each: each.cpu_us_per_user.get("instances", 0.0)),
    ),
    "cpu-of-servers": Headline("CPU of all servers for a user at saturation", "µs", _saturated(servers_cpu)),
    "reads-by-id": Headline("reads by id, as fast as they go", "reads/s", _read(Kind.BY_ID)),
    "reads-by-email": Headline("reads by e-mail, as fast as they go", "reads/s", _read(Kind.BY_EMAIL)),
    "reads-to-find-one": Headline(
        "reads by e-mail to one find_one a request", "", _ratio(Kind.BY_EMAIL, Kind.FIND_ONE)
    ),
    "document-to-join": Headline(
        "reading MongoDB's document to PostgreSQL's join", "", _ratio(Kind.DOCUMENT, Kind.JOIN)
    ),
    "three-instances-to-one": Headline(
        "users per CPU second of three instances behind nginx to one without (`tandem scale`)",
        "",
        _ratio(Kind.CLOSED, Kind.CLOSED, Quantity.USERS_A_CPU_SECOND, instances=3),
    ),
    "failed-requests": Headline("requests not answered 201 or 200", "", failures),
    "generator-busy": Headline("the generator's share of its core, at most", "", generator_busy),
    "others-busy": Headline("cores that other programs kept busy, at worst", "", others_busy),
}
