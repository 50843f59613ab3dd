"""The verdict of `tandem prove` as a table."""

from rich.console import Group, RenderableType
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.proof.verdict import Verdict


def table_of(verdict: Verdict) -> RenderableType:
    """The verdict for people."""
    return Group(_counts(verdict), "", *_faults(verdict), *_examples(verdict), _sentence(verdict))


def _counts(verdict: Verdict) -> FittedTable:
    counts = verdict.counts
    table = FittedTable(Column("", is_number=False), Column("users"))
    for name, number, wanted in (
        ("acknowledged", counts.acknowledged, verdict.users),
        ("in PostgreSQL", counts.in_postgres, verdict.users),
        ("in MongoDB", counts.in_mongodb, verdict.users),
        ("SYNCRONIZED", counts.synchronized, verdict.users),
        ("lost", counts.lost, 0),
        ("doubled", counts.doubled, 0),
        ("differing", counts.differing, 0),
        ("pending", counts.pending, 0),
        ("dead letters", counts.dead_letters, 0),
    ):
        table.add_row(name, _colored(f"{number:,}", good=number == wanted))
    return table


def _faults(verdict: Verdict) -> list[RenderableType]:
    if not verdict.faults:
        return []
    table = FittedTable(
        Column("fault", fold_at=16, is_number=False),
        Column("struck", spare=2, fold_at=12, is_number=False),
        Column("after users", spare=1),
        Column("seen", is_number=False),
        Column("s to recover"),
    )
    for fault in verdict.faults:
        seconds = fault.seconds_to_recover
        table.add_row(
            fault.fault,
            ", ".join(fault.targets),
            f"{fault.after_users:,}",
            _colored("yes" if fault.seen else "no", good=fault.seen),
            _colored("never" if seconds is None else f"{seconds:.1f}", good=seconds is not None),
        )
    return [table, ""]


def _examples(verdict: Verdict) -> list[str]:
    return [
        f"{kind.replace('_', ' ')}, for example: {', '.join(map(str, ids))}"
        for kind, ids in verdict.counts.examples.items()
    ]


def _sentence(verdict: Verdict) -> str:
    causes = ", ".join(f"{cause} {times:,} times" for cause, times in verdict.sent_again.items())
    run = f"{verdict.users:,} users in {verdict.seconds:.0f} s; sent again: {causes or 'none'}."
    if verdict.proven:
        return f"[bold green]Proved[/]: {run}"
    return f"[bold red]Not proved[/]: {run} The ledger is {verdict.ledger}."


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, "green" if good else "bold red")
