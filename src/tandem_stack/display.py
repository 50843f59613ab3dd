"""What `tandem up` shows: a table that changes in place on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tandem_stack.running import command


class Display:
    """Shows the states of services when they change. Never fails, because the terminal may close first."""

    def __init__(self, console: Console, proof: str = "prove --fault all") -> None:
        """`proof`: the words of the command that proves what is run."""
        self._proof = proof
        self._console = console
        self._errors = Console(stderr=True)
        self._began = time.monotonic()
        #: Of each part, and how many seconds after the start it came to be so.
        self._states: dict[str, tuple[str, float]] = {}
        self._live: Live | None = None
        if console.is_terminal:
            # Automatic refreshing would need a thread, which is dangerous in a process that forks.
            self._live = Live(console=console, auto_refresh=False)

    def __call__(self, title: str, state: str) -> None:
        """A service of the stack has a new state."""
        self._states[title] = (state, time.monotonic() - self._began)
        line = f"{time.strftime('%H:%M:%S')}  {title}: {state}"
        self._safely(self._redraw if self._live else lambda: self._line(line))

    def running(self, url: str, data_dir: Path) -> None:
        """Everything is ready: show the addresses."""
        self.end_table()
        where_to_click = (
            f"\nTandem is running, after {time.monotonic() - self._began:.1f} s.\n"
            f"  The page    {url}/\n"
            f"  The API     {url}/api\n"
            f"  Statistics  {url}/api/v1/stats\n\n"
            f"Data and logs are in {data_dir}. Ctrl-C ends it all; a second one hurries. Elsewhere:\n\n"
            f"  {command('status', data_dir)}\n"
            f"  {command(self._proof, data_dir)}\n"
            f"  {command('down', data_dir)}\n"
        )
        self._safely(lambda: self._line(where_to_click))

    def failed(self, why: str) -> None:
        """The stack cannot run: show the reason."""
        self.end_table()
        self._safely(
            lambda: self._errors.print(f"Error: {why}", markup=False, highlight=False, soft_wrap=True)
        )

    def _redraw(self) -> None:
        if self._live is None:
            return
        self._live.start()
        table = Table.grid(padding=(0, 2))
        for title, (state, seconds) in self._states.items():
            mark = {"ready": "[green]✓[/]", "done": "[green]✓[/]"}.get(state, "[yellow]…[/]")
            table.add_row(mark, title, state, f"[dim]{seconds:.1f} s[/]")
        self._live.update(table, refresh=True)

    def end_table(self) -> None:
        """Leave the table as it is, and print lines from now on."""
        if self._live:
            self._safely(self._live.stop)
            self._live = None

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _safely(self, show: Callable[[], None]) -> None:
        with suppress(OSError, ValueError, SystemExit):  # rich raises SystemExit when its pipe is closed
            show()
