"""The verdict of a proof, for people."""

from rich.console import Group, RenderableType
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.proof.verdict import Failure, Verdict


def table_of(verdict: Verdict) -> RenderableType:
    """The verdict for people."""
    explained = [f"[bold red]Why[/]: {reason}" for reason in verdict.reasons]
    left_out = [f"[yellow]Not tried[/]: {reason}" for reason in verdict.left_out]
    lines = (*_examples(verdict), *explained, *left_out, _sentence(verdict))
    return Group(_counts(verdict), "", *_faults(verdict), *lines)


def _counts(verdict: Verdict) -> FittedTable:
    counts = verdict.counts
    table = FittedTable(Column("", is_number=False), Column("number"))
    for name, number in (
        ("updates acknowledged", counts.updated),
        (f"{verdict.things} deleted", counts.deleted),
        ("commands rejected", sum(verdict.rejected.values())),
    ):
        table.add_row(name, f"{number:,}")
    for name, number, wanted in (
        (f"{verdict.things} created", counts.acknowledged, verdict.users),
        ("in PostgreSQL", counts.in_postgres, verdict.users),
        ("in MongoDB", counts.in_mongodb, verdict.users - counts.deleted),
        ("SYNCRONIZED", counts.synchronized, verdict.users),
        *((failure.replace("_", " "), getattr(counts, failure), 0) for failure in Failure),
    ):
        table.add_row(name, _colored(f"{number:,}", good=number == wanted))
    return table


def _faults(verdict: Verdict) -> list[RenderableType]:
    if not verdict.faults:
        return []
    table = FittedTable(
        Column("fault", fold_at=16, is_number=False),
        Column("struck", spare=2, fold_at=12, is_number=False),
        Column(f"after {verdict.things}", spare=1),
        Column("seen", is_number=False),
        Column("s without commits"),
        Column("s to recover"),
    )
    for fault in verdict.faults:
        seconds = fault.seconds_to_recover
        table.add_row(
            fault.fault,
            ", ".join(fault.targets),
            f"{fault.after_users:,}",
            _colored("yes" if fault.seen else "no", good=fault.seen),
            f"{fault.seconds_without_commits:.1f}",
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
    over = f" over {verdict.cells} cells" if verdict.cells > 1 else ""
    users = f"{verdict.users:,} {verdict.things}{over}"
    run = f"{users} in {verdict.seconds:.0f} s; sent again: {causes or 'none'}."
    if verdict.proven:
        return f"[bold green]Proved[/]: {run}"
    return f"[bold red]Not proved[/]: {run} The ledger is {verdict.ledger}."


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, "green" if good else "bold red")
