"""A verdict as one file for people: it loads nothing, and its charts are drawings in it."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import pairwise

from tandem.http.security_headers import security_headers
from tandem.runs.verdict import HistoryRow, Named, Verdict
from tandem.runs.verdict_chart import Curve, chart

STYLE = """
:root { color-scheme: light dark; --ground: #f4f6f8; --surface: #fff; --ink: #15202b; --muted: #556370;
  --line: #dde3e8; --write: #2563c4; --read: #0b8052; --danger: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e141a; --surface: #161e26; --ink: #e7edf3;
  --muted: #9aa8b5; --line: #2a3641; --write: #6aa5ff; --read: #3fcf97; --danger: #ff8f86; } }
* { box-sizing: border-box; }
body { max-width: 64rem; margin: 0 auto; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 1rem 0; } h2 { font-size: 1.05rem; margin: 0 0 0.5rem; }
.sentence { font-size: 1.2rem; font-weight: 600; border-left: 4px solid var(--danger);
  padding-left: 0.75rem; }
.good { border-color: var(--read); } .muted { color: var(--muted); }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 1rem;
  margin: 1rem 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 0.75rem; margin: 0; }
dt { color: var(--muted); font-size: 0.9rem; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
ol, ul { margin: 0; padding-left: 1.5rem; } time { color: var(--muted); font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 0 1rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--muted); font-size: 11px; }
.level { stroke: var(--line); } .curve { fill: none; stroke-width: 2; }
.sent { stroke: var(--muted); } .write { stroke: var(--write); } .lag { stroke: var(--ink); }
.arrived { stroke: var(--muted); stroke-dasharray: 1 4; stroke-linecap: round; }
.fault { stroke: var(--danger); stroke-dasharray: 4 3; } svg text.fault { fill: var(--danger); stroke: none; }
"""

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
#: It may use its own style, and nothing else.
SECURITY = security_headers(
    f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'", "no-store"
)


def page_of(verdict: Verdict) -> str:
    """The whole file."""
    title = f"Run {escape(verdict.seed)}"
    mark = " good" if verdict.is_good else ""
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="sentence{mark}">{escape(verdict.sentence)}.</p>',
        f'<p class="muted">Judged at {_moment(verdict.made_at)}. {escape(_who_counted(verdict))}</p>',
        _section("In numbers", f"<dl>{''.join(_figures(verdict))}</dl>"),
        _charts(verdict),
        *_happened(verdict),
        *_named("Differing", verdict.compared.named),
        *_named("Rescued", verdict.named_rescued),
        *_named("Dead letters", verdict.named_letters),
        f'<p class="muted">{escape(WHAT_IS_CHECKED)}</p>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Tandem</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


DASH = "\N{EN DASH}"
WHAT_IS_CHECKED = (
    "Lost: acknowledged creates and deletes that PostgreSQL has no row of, by their numbers. Doubled: users "
    "with the login UUID of another one. Equal: each row was compared with its document, field by field. "
    "Rescued: finished by another instance than the one that created them."
)


def _numbers(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """What there is to say in numbers: a name, and a value for people."""
    told = verdict.acknowledged
    yield "Started", _moment(verdict.started_at)
    yield "Seconds", _number(verdict.seconds, 1)
    yield "Per second, mean", _number(verdict.users_per_second, 0)
    yield "Acknowledged: created", _number(told.create if told else None, 0)
    yield "In PostgreSQL: created", _number(verdict.created, 0)
    yield "There now: PostgreSQL", _number(verdict.in_postgresql, 0)
    yield "There now: MongoDB", _number(verdict.in_mongodb, 0)
    yield "Synchronized", _number(verdict.synchronized, 0)
    yield "Updates", _of(told.update if told else None, verdict.updated)
    yield "Deletes", _of(told.delete if told else None, verdict.deleted)
    yield "Lost", _number(verdict.lost, 0)
    yield "Doubled", _number(verdict.doubled, 0)
    yield "Compared, equal", f"{verdict.compared.checked:,}, {verdict.compared.equal:,}"
    yield "Differing", _number(sum(verdict.compared.differences.values()), 0)
    yield "Pending", _number(verdict.pending, 0)
    yield "Dead letters", _number(verdict.dead_letters, 0)
    yield "Rescued", _number(verdict.rescued, 0)
    yield "Longest rescue", _seconds(verdict.longest_rescue_seconds)
    yield "Lag p50", _seconds(verdict.lag_ms.p50 / 1000 if verdict.lag_ms else None)
    yield "Lag p99", _seconds(verdict.lag_ms.p99 / 1000 if verdict.lag_ms else None)
    yield "Longest lag", _seconds(verdict.longest_lag_seconds)
    yield "Instances", ", ".join(verdict.instances)
    yield "Deaths seen", _number(verdict.deaths, 0)


def _figures(verdict: Verdict) -> Iterator[str]:
    for name, value in _numbers(verdict):
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _who_counted(verdict: Verdict) -> str:
    if verdict.acknowledged is None:
        return "Nobody has said how much was acknowledged, so whether something is lost is not known."
    by = {"browser": "the browser that sent it", "server": "the generator on the server", None: "its sender"}
    return f"What was acknowledged was counted by {by[verdict.counted_by]}."


def _charts(verdict: Verdict) -> str:
    faults = [(one.at.timestamp(), one.text) for one in verdict.happenings if one.kind == "fault"]
    rows = verdict.history
    if len(rows) < 2:
        return _section(
            "Charts", '<p class="muted">Nobody watched this run, so no history of it was kept.</p>'
        )
    rates = chart(
        "Per second",
        [Curve("accepted", "sent", _rates(rows, 1)), Curve("synchronized", "write", _rates(rows, 4))],
        faults,
        "/s",
    )
    lags = chart(
        "Lag",
        [
            Curve(
                "oldest waiting",
                "lag",
                [(row[0], max(0.0, row[6]) / 1000) for row in rows if row[6] is not None],
            ),
            Curve("arrived", "arrived", [(row[0], row[5] / 1000) for row in rows if row[5] is not None]),
        ],
        faults,
        " s",
    )
    return f'<div class="charts">{_section("Per second", rates)}{_section("Lag", lags)}</div>'


def _rates(rows: Sequence[HistoryRow], column: int) -> list[tuple[float, float]]:
    return [
        (row[0], max(0.0, (row[column] or 0) - (before[column] or 0)) / max(row[0] - before[0], 1))
        for before, row in pairwise(rows)
    ]


def _happened(verdict: Verdict) -> Iterator[str]:
    if verdict.happenings:
        items = (f"<li>{_moment(one.at)} {escape(one.text)}</li>" for one in verdict.happenings)
        yield _section("What happened", f"<ul>{''.join(items)}</ul>")


def _named(title: str, named: Sequence[Named]) -> Iterator[str]:
    if named:
        items = (f"<li>{escape(one.id)}: {escape(one.why)}</li>" for one in named)
        yield _section(title, f"<ul>{''.join(items)}</ul>")


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _moment(at: datetime | None) -> str:
    return DASH if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:,.{digits}f}"


def _seconds(value: float | None) -> str:
    return DASH if value is None else f"{value:.3g} s"


def _of(told: int | None, stored: int) -> str:
    return f"{stored:,}" if told is None else f"{stored:,} of {told:,} acknowledged"
