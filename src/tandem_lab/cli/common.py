"""What the lab's commands have in common: options, the stack, interruption, thresholds, the report."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
import click
import msgspec
import uvloop
from click.core import ParameterSource
from pymongo.errors import PyMongoError
from rich.console import Console, RenderableType
from rich.markup import escape

from tandem.cli.interruption import INTERRUPTED, interruptible
from tandem_lab.bench.own_stack import HostOptions, OwnStack, delayed_stack, own_hosts
from tandem_lab.bench.results import Report
from tandem_lab.bench.slo import LimitsReport
from tandem_lab.bench.soak import SoakReport
from tandem_lab.bench.steps import Tell
from tandem_lab.cli.display import MeasurementDisplay
from tandem_lab.errors import LabError
from tandem_lab.proof.peers import PeersVerdict
from tandem_lab.report.analysis import warnings
from tandem_lab.report.page import page_of, write_page
from tandem_lab.report.runs import Loads
from tandem_lab.report.thresholds import Threshold, ThresholdOutcome, judge, parse_threshold
from tandem_stack.errors import StackError
from tandem_stack.running import data_dir_option, running_on
from tandem_stack.status import Status

BROKEN_OFF = (
    *(LabError, StackError, OSError, aiohttp.ClientError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError, PyMongoError),
)

T = TypeVar("T")
Plan = TypeVar("Plan", bound=msgspec.Struct)


class Parsed(click.ParamType[T]):
    """The type of an option whose text is parsed by `parse`. A ValueError of it is shown to the person."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """The parsed value. A value that is not text is returned as it is."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def numbers(kind: type[int] | type[float], least: float, most: float) -> Parsed[tuple[float, ...]]:
    """Numbers from `least` to `most`, separated by commas: each once, in the order given."""

    def parse(text: str) -> tuple[float, ...]:
        try:
            found = tuple(dict.fromkeys(map(kind, text.split(","))))
        except ValueError:
            raise ValueError(f"{text!r} is no list of numbers like 200,6.") from None
        if not all(least <= each <= most for each in found):
            raise ValueError(f"Each number must be from {least:g} to {most:g}.")
        return found

    return Parsed("n,n", parse)


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--data-dir`, `--json` and `--require`."""
    data_dir = data_dir_option(
        "The data folder of a running stack. A stack of the lab's own has its data beside it."
    )
    json_file = click.option(
        "--json",
        "json_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the raw data goes; the page lies beside it, as .html.  [default: named by the time]",
    )
    require = click.option(
        "--require",
        "thresholds",
        type=Parsed("threshold", parse_threshold),
        multiple=True,
        help="Exit 1 unless this holds, as in ratio-to-frozen-floor>=0.6. May be given several times; a name "
        "that is none lists all.",
    )
    return data_dir(json_file(require(command)))


def only_options(apply: Collection[str], beside: str) -> None:
    """Refuse options of the command line that say nothing beside others.

    Raises:
        UsageError: one was given; names it.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and name not in apply:
            raise click.UsageError(f"{parameter.opts[0]} says nothing with {beside}.", context)


def peer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--peer` and `--peers`."""
    one = click.option(
        "--peer",
        multiple=True,
        metavar="NAME|module:object",
        help="Another system instead, on a stack of the lab's own. May be given several times.",
    )
    several = click.option("--peers", metavar="all|NAME,NAME", help="The same for several, or for all.")
    return one(several(command))


def with_choices(plan: Plan, choices: Mapping[str, Any]) -> Plan:
    """The plan, changed by the options of the command line. None means that an option was not given."""
    given = {name: value for name, value in choices.items() if value is not None}
    return msgspec.structs.replace(plan, **given)


def run(work: Coroutine[Any, Any, T], display: AbstractContextManager[Any], if_interrupted: str) -> T:
    """Carry out `work` while `display` shows it. Ctrl-C and SIGTERM end both, then the program."""
    try:
        with display:
            return uvloop.run(interruptible(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo(if_interrupted, err=True)
        sys.exit(INTERRUPTED)


def notice(sentence: str) -> None:
    """Print a sentence above whatever is shown. `click.echo` would print it into the last line of that."""
    sys.stderr.write(f"{sentence}\n")


def measure(work: Callable[[Tell], Coroutine[Any, Any, T]]) -> T:
    """Carry out a measurement.

    Raises:
        LabError: it was broken off; says why.
    """
    display = MeasurementDisplay(Console(stderr=True))
    try:
        return run(work(display), display, "Interrupted; nothing was written.")
    except BROKEN_OFF as error:
        msg = f"The measurement was broken off: {str(error).rstrip('.')}."
        raise LabError(msg) from None


def database_urls(running: Status, data_dir: Path) -> tuple[str, str]:
    """The owner's URLs of PostgreSQL and MongoDB of a running stack.

    Raises:
        LabError: it is just starting.
    """
    if running.postgres.url is None or running.mongodb.url is None:
        msg = f"The stack on {data_dir} is just starting. Try again when it is ready."
        raise LabError(msg)
    return running.postgres.url, running.mongodb.url


@asynccontextmanager
async def stack_for(
    data_dir: Path, instances: int | None, delays: Mapping[str, float] | None = None
) -> AsyncIterator[OwnStack]:
    """The stack that runs on the data folder. If none does, one of the lab's own with this many instances.

    `delays`: seconds by `postgres` and `mongodb` that the instances wait longer for an answer of these.

    Raises:
        LabError: the running one belongs to another account, or differs in instances or delays.
    """
    running = running_on(data_dir, "; only its owner can measure it.")
    if running is None:
        notice(f"No stack is running on {data_dir}: starting one for this measurement.")
        async with delayed_stack(data_dir, instances or 1, delays or {}) as own:
            yield own
        return
    if delays:
        msg = f"--delay needs a stack of the lab's own. End that on {data_dir} with `tandem down` first."
        raise LabError(msg)
    database_urls(running, data_dir)
    if instances not in {None, len(running.instances)}:
        msg = (
            f"The stack on {data_dir} has {len(running.instances)} instances. Leave --instances out, "
            "or end it with `tandem down`, so that the lab can start one of its own."
        )
        raise LabError(msg)
    if None in (running.postgres.pid, running.mongodb.pid):
        notice("The databases are not this stack's own: their CPU and memory are left out.")
    yield OwnStack(running, data_dir)


@asynccontextmanager
async def hosts_for(data_dir: Path, options: HostOptions) -> AsyncIterator[OwnStack]:
    """The stack of several hosts that runs on the data folder. If none runs, one of the lab's own.

    Raises:
        LabError: the running one has no hosts, or belongs to another account.
    """
    running = running_on(data_dir, "; only its owner can prove something of it.")
    if running is None:
        notice(f"No stack is running on {data_dir}: starting hosts for this.")
        async with own_hosts(data_dir, options) as own:
            yield own
        return
    if not running.cells:
        msg = f"The stack on {data_dir} has no hosts. End it, so that the lab can start one that has."
        raise LabError(msg)
    yield OwnStack(running, data_dir)


def finish(
    report: Report,
    table: RenderableType,
    json_file: Path | None,
    thresholds: Sequence[Threshold],
    proof: PeersVerdict | None = None,
) -> None:
    """Write the report, show its table and the verdict, and exit 1 if a threshold is missed.

    `proof` is shown on the page of a report of peers.

    Raises:
        LabError: a file cannot be written.
    """
    outcomes = judge(report, thresholds)
    written = write_files(report, page_of(report, outcomes, proof), json_file)
    console = Console()
    console.print(table)
    for warning in warnings(Loads(report)):
        console.print(f"[yellow]Mind:[/] {escape(warning)}", soft_wrap=True)
    for outcome in outcomes:
        console.print(_line(outcome), soft_wrap=True)
    click.echo(written)
    if not all(outcome.met for outcome in outcomes):
        sys.exit(1)


def write_files(report: Report | LimitsReport | SoakReport, page: str, json_file: Path | None) -> str:
    """Write the raw data, and the page beside it. Returns where they are, for people.

    Raises:
        LabError: a file cannot be written.
    """
    json_file = json_file or Path(f"{report.kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    html = json_file.with_suffix(".html")
    try:
        json_file.write_bytes(msgspec.json.encode(report))
        write_page(page, html)
    except OSError as error:
        msg = f"The report cannot be written: {error}. Name another file with --json."
        raise LabError(msg) from None
    return f"Report: {html}; raw data: {json_file}"


def _line(outcome: ThresholdOutcome) -> str:
    mark = "[green]met[/]   " if outcome.met else "[bold red]missed[/]"
    return f"{mark} {escape(outcome.demanded)}: measured {escape(outcome.measured)}"
