"""What measurements show while they go on: a bar on a terminal, plain lines elsewhere."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tandem_lab.bench import steps


class Display(Progress):
    """One bar, or lines if the console is no terminal. As a context manager it starts and ends the bar."""

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, line: str, **changes: Any) -> None:
        """Change the bar, or print the line."""
        if self.disable:
            self.say(line)
        else:
            self.update(self.task_ids[0], **changes)


class MeasurementDisplay(Display):
    """The steps of a measurement, a line for each. This is the `Tell` of `take_steps`."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.fields[steps]}"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
        said = TextColumn("{task.description}")
        # Ten times a second, which is usual, would take 1 % of a core from what is measured.
        super().__init__(
            *(BarColumn(), *columns, said),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            refresh_per_second=1,
        )
        self.add_task("looking at the machine", total=1.0, steps="", left="")

    def __call__(self, now: steps.Progress) -> None:
        """A step begins."""
        step, left = f"{now.number}/{now.of}", f"{_minutes(now.seconds_left)} left"
        line = f"[{step}, about {left}] {now.what}"
        self.show(line, completed=now.share_done, description=escape(now.what), steps=step, left=left)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
