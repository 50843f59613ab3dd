"""`tandem compare`: what changed between two reports, and whether it is more than noise."""

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.results import Report
from tandem_lab.errors import LabError
from tandem_lab.report.compare import Change, Differences, compare_reports
from tandem_lab.report.format import number

STYLES = {"better": "green", "worse": "bold red"}
REPORT_FILE = click.Path(path_type=Path)


@click.command
@click.argument("a", type=REPORT_FILE)
@click.argument("b", type=REPORT_FILE)
@click.option("--json", "as_json", is_flag=True, help="All differences for programs.")
@click.option("--fail-on-regression", is_flag=True, help="Exit 1 if the service got worse beyond noise.")
def compare(a: Path, b: Path, as_json: bool, fail_on_regression: bool) -> None:
    """Show what changed from report A to report B, the JSON files of two measurements.

    A change is more than noise if the 95% bootstrap interval of the ratio B / A leaves out 1. That takes
    three rounds in both; with three or four, 1 of 10 comparisons of equals comes out different by chance.
    """
    differences = compare_reports(read_report(a), read_report(b))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(differences), indent=2))
    else:
        _print(differences)
    if fail_on_regression and differences.regressions:
        sys.exit(1)


def read_report(path: Path) -> Report:
    """The report in this file.

    Raises:
        LabError: it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{path} is no report in JSON of this version of the lab: {error}."
    raise LabError(msg)


def _print(differences: Differences) -> None:
    console = Console()
    for warning in differences.warnings:
        console.print(f"[yellow]Mind:[/] {escape(warning)}")
    if differences.changes:
        console.print(table_of(differences.changes))
    else:
        console.print("The two reports have no load in common, so there is nothing to compare.")
    for name, loads in (("A", differences.only_in_a), ("B", differences.only_in_b)):
        if loads:
            console.print(f"Only in {name}: {escape('; '.join(loads))}.")
    for sentence in differences.missing:
        console.print(f"[yellow]Missing:[/] {escape(sentence)}", soft_wrap=True)
    console.print(_summary(differences))


def table_of(changes: list[Change]) -> FittedTable:
    """A line for each number, below the name of its load."""
    table = FittedTable(
        Column("", fold_at=24, is_number=False),
        Column("A", spare=3),
        Column("B", spare=2),
        Column("B / A"),
        Column("95% interval", spare=1),
        Column("", is_number=False),
        elsewhere="A wider window shows more, --json all.",
    )
    last = None
    for change in changes:
        if change.load != last:
            table.add_row(Text(change.load, "bold"))
            last = change.load
        table.add_row(*_row(change))
    return table


def _row(change: Change) -> list[str | Text]:
    ratio, interval = change.comparison.ratio, change.comparison.interval
    return [
        f"  {change.metric}, {change.unit}" if change.unit else f"  {change.metric}",
        number(change.a.median),
        number(change.b.median),
        "" if ratio is None else number(ratio),
        "" if interval is None else str(interval),
        Text(change.judgement, STYLES.get(change.judgement, "dim")),
    ]


def _summary(differences: Differences) -> str:
    of_service = [change.judgement for change in differences.changes if change.of_service]
    better, worse = of_service.count("better"), of_service.count("worse")
    return f"Of {len(of_service)} numbers of the service, {better} got better and {worse} worse beyond noise."
