"""The verdict of a proof, for people."""

import io
import time

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.environment import machine
from tandem_lab.proof.load import REQUEST_TIMEOUT
from tandem_lab.proof.verdict import Failure, FaultReport, Verdict

RECEIPT_WIDTH = 80
#: What a client's library calls it, in words; what is not here is said as it is.
WHY_SENT_AGAIN = {
    "TimeoutError": f"no answer within {REQUEST_TIMEOUT.total:g} s",
    "ServerDisconnectedError": "the connection ended before the answer",
    "ClientOSError": "the connection broke",
    "ClientConnectorError": "nobody listened",
    "429": "too many at a time (429)",
    "500": "an unforeseen error (500)",
    "502": "no instance behind the load balancer answered (502)",
    "503": "not just now (503)",
    "504": "an instance did not answer the load balancer in time (504)",
}


def table_of(verdict: Verdict) -> RenderableType:
    """The verdict for people."""
    return Group(_counts(verdict), "", *_faults(verdict), *_explained(verdict), _sentence(verdict))


def receipt_of(verdict: Verdict) -> RenderableType:
    """The verdict in a frame, with all that somebody who sees only this wants to know."""
    counts, failures = verdict.counts, [failure for failure in Failure if getattr(verdict.counts, failure)]
    style = "green" if verdict.proven else "bold red"
    wrong = ", ".join(f"{getattr(counts, each):,} {each.replace('_', ' ')}" for each in failures)
    here = machine()
    end = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    parts: list[RenderableType] = [
        f"[bold]{counts.acknowledged:,}[/] {verdict.things} acknowledged, "
        f"[bold]{counts.updated:,}[/] updates, [bold]{counts.deleted:,}[/] deleted",
        f"[bold]{counts.in_postgres:,}[/] in PostgreSQL, [bold]{counts.in_mongodb:,}[/] in MongoDB, "
        f"[bold]{counts.synchronized:,}[/] SYNCRONIZED",
        f"[{style}]{wrong or '0 lost, 0 doubled, 0 differing, 0 resurrected, 0 pending'}[/]",
        "",
        *_lines_of_faults(verdict),
        *_explained(verdict),
        Text(_sent_again(verdict)),
        Text(f"{verdict.seconds:.0f} s; --seed {verdict.seed} --random-seed {verdict.random_seed}", "dim"),
        Text(f"{here['cores']} cores, {here['processor']}, {here['memory_gib']:g} GiB; {end}", "dim"),
    ]
    title, code = ("Proved", 0) if verdict.proven else ("Not proved", 1)
    return Panel(
        Padding(Group(*parts), (0, 1)),
        title=f"[bold]{title}[/]",
        subtitle=f"tandem prove, exit code {code}",
        border_style=style,
        box=box.ROUNDED,
    )


def picture_of(verdict: Verdict) -> str:
    """The receipt as SVG, with nothing in it that would be fetched from elsewhere."""
    console = Console(width=RECEIPT_WIDTH, record=True, file=io.StringIO(), force_terminal=True)
    console.print(receipt_of(verdict))
    svg = console.export_svg(title="tandem prove")
    before, _, after = svg.partition("@font-face")
    return before + after[after.rindex("@font-face") :].partition("}")[2] if after else svg


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


def _lines_of_faults(verdict: Verdict) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2, 0, 0))
    for fault in verdict.faults:
        table.add_row(*row_of(fault))
    return [table, ""] if verdict.faults else []


def row_of(fault: FaultReport) -> tuple[Text, ...]:
    """A fault that is over, as cells of a table: a mark, its name, whom it struck, what came of it."""
    seconds = fault.seconds_to_recover
    said = "never recovered" if seconds is None else f"recovered after {seconds:.1f} s"
    if fault.most_pending is not None:
        said += f", {fault.most_pending:,} in danger"
    passed = fault.seen and seconds is not None
    mark = Text("✓", "green") if passed else Text("✗", "bold red")
    struck = fault.targets[0] if len(fault.targets) == 1 else f"{len(fault.targets)} in turn"
    return mark, Text(fault.fault), Text(struck), Text(said if fault.seen else "not seen")


def _explained(verdict: Verdict) -> list[str]:
    """Examples of what is wrong, what explains it, and what was not tried."""
    return [
        *(
            f"{kind.replace('_', ' ')}, for example: {', '.join(map(str, ids))}"
            for kind, ids in verdict.counts.examples.items()
        ),
        *(f"[bold red]Why[/]: {escape(reason)}" for reason in verdict.reasons),
        *(f"[yellow]Not tried[/]: {escape(reason)}" for reason in verdict.left_out),
    ]


def _sent_again(verdict: Verdict) -> str:
    """How many commands were sent again, and why, in words."""
    if not verdict.sent_again:
        return "No command had to be sent again."
    causes = "; ".join(
        f"{'once' if times == 1 else f'{times:,} times'}: {WHY_SENT_AGAIN.get(cause, cause)}"
        for cause, times in verdict.sent_again.items()
    )
    return f"Sent again, as any client would: {causes}."


def _sentence(verdict: Verdict) -> str:
    over = f" over {verdict.cells} cells" if verdict.cells > 1 else ""
    run = f"{verdict.users:,} {verdict.things}{over} in {verdict.seconds:.0f} s. {_sent_again(verdict)}"
    if verdict.proven:
        return f"[bold green]Proved[/]: {run}"
    return f"[bold red]Not proved[/]: {run} The ledger is {verdict.ledger}."


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, "green" if good else "bold red")
