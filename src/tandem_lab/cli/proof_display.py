"""What `tandem prove` shows: its progress, and its verdict as a table."""

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.proof.plan import Plan
from tandem_lab.proof.verdict import Verdict

LINES = 10  # how many lines tell of the users, where there is no bar


class ProofDisplay:
    """A bar that fills on a terminal, plain lines elsewhere. Used as the `Tell` of a proof."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._users = plan.users
        self._last = ("", 0)
        self._plan = plan
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
        )
        self._task = self._bar.add_task("", total=plan.users)

    def __enter__(self) -> Self:
        plan = self._plan
        self._line(
            f"The run is {plan.seed!r} (--seed), faults strike by --random-seed {plan.random_seed}.\n"
            f"The ledger is {plan.ledger}."
        )
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, acknowledged: int, doing: str) -> None:
        """So many users are acknowledged, and this is going on."""
        if self._console.is_terminal:
            self._bar.update(self._task, completed=acknowledged, description=doing)
            return
        now = (doing, acknowledged * LINES // self._users)
        if now != self._last:
            self._last = now
            self._line(f"{acknowledged:>9,} acknowledged; {doing}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def table_of(verdict: Verdict) -> RenderableType:
    """The verdict for people."""
    return Group(_counts(verdict), "", *_faults(verdict), *_examples(verdict), _sentence(verdict))


def _counts(verdict: Verdict) -> FittedTable:
    counts = verdict.counts
    table = FittedTable(Column("", is_number=False), Column("users"))
    for name, number in (
        ("acknowledged", counts.acknowledged),
        ("in PostgreSQL", counts.in_postgres),
        ("in MongoDB", counts.in_mongodb),
        ("SYNCRONIZED", counts.synchronized),
    ):
        table.add_row(name, _colored(f"{number:,}", good=number == verdict.users))
    for name, number in (
        ("lost", counts.lost),
        ("doubled", counts.doubled),
        ("differing", counts.differing),
        ("pending", counts.pending),
        ("dead letters", counts.dead_letters),
    ):
        table.add_row(name, _colored(f"{number:,}", good=number == 0))
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
