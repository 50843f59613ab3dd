"""What the lab's commands have in common: the stack, progress, interruption, thresholds, the report."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import click
import msgspec
import uvloop
from pymongo.errors import PyMongoError
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tandem.cli.interruption import INTERRUPTED, interruptible
from tandem_lab.bench.own_stack import OwnStack, own_stack
from tandem_lab.bench.results import Report
from tandem_lab.bench.steps import Progress
from tandem_lab.errors import LabError
from tandem_lab.report import ThresholdOutcome, write_report
from tandem_lab.report.thresholds import Threshold, judge, parse_threshold
from tandem_stack.errors import StackError
from tandem_stack.running import data_dir_option, running_on

BROKEN_OFF = (LabError, StackError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, PyMongoError)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers, separated by commas, each from `least` to `most`."""

    name = "n,n"

    def __init__(self, kind: type[int] | type[float], least: float, most: float) -> None:
        self._kind = kind
        self._least = least
        self._most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Each number once, in the order given."""
        try:
            found = tuple(dict.fromkeys(self._kind(each) for each in str(value).split(",")))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers like 200,6.", param, ctx)
        if not all(self._least <= each <= self._most for each in found):
            self.fail(f"Each number must be from {self._least:g} to {self._most:g}.", param, ctx)
        return found


class Demand(click.ParamType[Threshold]):
    """A threshold like `ratio-to-frozen-floor>=0.6`."""

    name = "threshold"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Threshold:
        """The threshold."""
        if isinstance(value, Threshold):
            return value
        try:
            return parse_threshold(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


require_option = click.option(
    "--require",
    "thresholds",
    type=Demand(),
    multiple=True,
    help="Exit 1 unless this holds, as in ratio-to-frozen-floor>=0.6. May be given several times; a name "
    "that is none lists all.",
)
lab_data_dir_option = data_dir_option(
    "The data folder of a running stack. A stack of the lab's own has its data beside it."
)
json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the raw data goes; the page lies beside it, as .html.  [default: named by the time]",
)


class Display:
    """A bar that fills on a terminal; plain lines, one for each step, elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            BarColumn(),
            TextColumn("{task.fields[steps]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("looking at the machine", total=1.0, steps="", left="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """A step begins."""
        steps, left = f"{progress.number}/{progress.of}", f"{_minutes(progress.seconds_left)} left"
        if self._console.is_terminal:
            self._bar.update(
                self._task,
                completed=progress.share_done,
                description=escape(progress.what),
                steps=steps,
                left=left,
            )
        else:
            line = f"[{steps}, about {left}] {progress.what}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def run(command: Callable[[Display], Coroutine[Any, Any, Report]]) -> Report:
    """Carry a measurement out; Ctrl-C and SIGTERM end it in order.

    Raises:
        LabError: it was broken off; says why.
    """
    try:
        with Display(Console(stderr=True)) as display:
            return uvloop.run(interruptible(command(display)))
    except BROKEN_OFF as error:
        msg = f"The measurement was broken off: {str(error).rstrip('.')}."
        raise LabError(msg) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Interrupted; nothing was written.", err=True)
        sys.exit(INTERRUPTED)


@asynccontextmanager
async def stack_for(data_dir: Path, instances: int | None) -> AsyncIterator[OwnStack]:
    """The stack that runs on the data folder, or, where none does, one of our own with so many instances.

    Raises:
        LabError: the running one is somebody else's, or has another number of instances.
    """
    running = running_on(data_dir, "; only its owner can measure it.")
    if running is None:
        click.echo(f"No stack is running on {data_dir}: starting one for this measurement.", err=True)
        async with own_stack(data_dir, instances or 1) as own:
            yield own
        return
    if running.postgres.url is None or running.mongodb.url is None:
        msg = f"The stack on {data_dir} is just starting. Try again when it is ready."
        raise LabError(msg)
    if instances not in {None, len(running.instances)}:
        msg = (
            f"The stack on {data_dir} has {len(running.instances)} instances. Leave --instances out, "
            "or end it with `tandem down`, so that the lab can start one of its own."
        )
        raise LabError(msg)
    if None in (running.postgres.pid, running.mongodb.pid):
        click.echo("The databases are not this stack's own: their CPU and memory are left out.", err=True)
    yield OwnStack(running, data_dir)


def finish(
    report: Report, table: RenderableType, json_file: Path | None, thresholds: Sequence[Threshold]
) -> None:
    """Write the report, show its table and the verdict, and exit 1 if a threshold is missed.

    Raises:
        LabError: a file cannot be written.
    """
    json_file = json_file or Path(f"{report.kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    page, outcomes = json_file.with_suffix(".html"), judge(report, thresholds)
    try:
        json_file.write_bytes(msgspec.json.encode(report))
        write_report(report, page, outcomes)
    except OSError as error:
        msg = f"The report cannot be written: {error}. Name another file with --json."
        raise LabError(msg) from None
    console = Console()
    console.print(table)
    for outcome in outcomes:
        console.print(_line(outcome), soft_wrap=True)
    click.echo(f"Report: {page}; raw data: {json_file}")
    if not all(outcome.met for outcome in outcomes):
        sys.exit(1)


def _line(outcome: ThresholdOutcome) -> str:
    mark = "[green]met[/]   " if outcome.met else "[bold red]missed[/]"
    return f"{mark} {escape(outcome.demanded)}: measured {escape(outcome.measured)}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
