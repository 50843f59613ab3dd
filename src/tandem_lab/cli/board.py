"""What a proof shows while it goes on: a board on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tandem_lab.cli.verdict import row_of
from tandem_lab.proof.progress import Moment

LINES = 10  # how many lines are printed while users are acknowledged, where there is no board
REDRAWS_PER_SECOND = 4
GONE = "does not answer"


class ProofDisplay:
    """How far a proof is. This is its `Tell`; as a context manager it starts and ends the board."""

    def __init__(self, console: Console, users: int) -> None:
        self._console = console
        self._users = users
        self._last = ("", 0)
        self._moment = Moment(0, "starting")
        self._began = time.monotonic()
        self._live = Live(
            console=console,
            get_renderable=self.board,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, now: Moment) -> None:
        """This is how far it is."""
        self._moment = now
        last, self._last = self._last, (now.doing, now.acknowledged * LINES // self._users)
        if not self._console.is_terminal and last != self._last:
            self.say(f"{now.acknowledged:>9,} acknowledged; {now.doing}")

    def board(self) -> RenderableType:
        """The board, as it is now."""
        now, seconds = self._moment, time.monotonic() - self._began
        head = Table.grid(expand=True)
        head.add_column(ratio=1)
        head.add_column(justify="right")
        head.add_row(Text(now.doing, "bold"), f"{seconds // 60:.0f}:{seconds % 60:02.0f}")
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        count = f"{now.acknowledged:,} of {self._users:,} acknowledged"
        bar.add_row(ProgressBar(self._users, now.acknowledged), count)
        return Group(head, bar, *self._stores(), *self._faults())

    def _stores(self) -> list[RenderableType]:
        stored = self._moment.stored
        if stored is None:
            return []
        words = (
            ("in PostgreSQL ", stored.in_postgres, "bold"),
            ("in MongoDB ", stored.in_mongodb, "bold"),
            ("in danger (pending) ", stored.pending, "bold yellow" if stored.pending else "bold"),
        )
        line = Text("   ", overflow="fold").join(
            Text(name) + (Text(GONE, "bold red") if number is None else Text(f"{number:,}", style))
            for name, number, style in words
        )
        return [line]

    def _faults(self) -> list[RenderableType]:
        now = self._moment
        table = Table.grid(padding=(0, 2, 0, 0))
        for report in now.over:
            table.add_row(*row_of(report))
        if now.fault:
            danger = "" if now.most_pending is None else f", {now.most_pending:,} in danger"
            since = time.strftime("%H:%M:%S", time.localtime(time.time() - now.fault_seconds))
            said = f"since {since}, for {now.fault_seconds:.1f} s{danger}"
            table.add_row(Text("▶", "bold yellow"), Text(now.fault, "bold"), "", said)
        for name in now.to_come:
            table.add_row("·", Text(name, "dim"), "", Text("to come", "dim"))
        return [Text(), table] if table.rows else []
