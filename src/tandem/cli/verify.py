"""`tandem verify`: whether both databases hold the same, and what does not."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tandem.app.adapters import Adapters
from tandem.cli.databases import FindSettings, both_databases, database_options
from tandem.cli.interruption import INTERRUPTED, interruptible
from tandem.cli.tables import Column, FittedTable
from tandem.config import Settings
from tandem.delivery.source import Chunks
from tandem.mongodb.generations import Generation
from tandem.verification.differences import Difference, What
from tandem.verification.kinds import VerifiedKind
from tandem.verification.shown import ShownDifference, shown
from tandem.verification.verifier import Verifier
from tandem.verification.whole import ROWS_A_CHUNK, verify_all

REASON = "verify --repair"
# Of each kind, to people and in JSON.
MOST_SHOWN, MOST_IN_JSON = 20, 1_000
# For so long nothing may go on in repairs before they are left to themselves.
PATIENCE_SECONDS = 15.0


class Verified(msgspec.Struct, rename="camel"):
    """What was found of one kind."""

    kind: str
    plural: str
    is_equal: bool
    checked: int
    equal: int
    missing: int
    surplus: int
    lost: int
    stale: int
    differing: int
    pending: int
    set_aside: int
    #: At most 1,000.
    differences: list[ShownDifference]


@click.command()
@click.option("--repair", is_flag=True, help="Have the running instances heal what differs.")
@click.option("--seed", help="Only this run.")
@click.option("--aggregate", help="Only users, or one installed aggregate, such as orders.")
@click.option("--show-values", is_flag=True, help="Show the values of fields that differ, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@database_options
def verify(find_settings: FindSettings, as_json: bool, **choices: Any) -> None:
    """Compare PostgreSQL's rows with MongoDB's documents, while commands, updates and deletes go on.

    The exit code is 0 if they are equal but for what is on its way, 1 if not. With --repair it is 0 if all is
    healed.
    """
    settings, asked = find_settings(), _Asked(**choices)
    try:
        found, is_healed = uvloop.run(interruptible(_verify(settings, asked)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        rest = "What was asked for goes on: `tandem repairs`." if asked.repair else "Nothing changed."
        click.echo(f"Interrupted. {rest}", err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _print(found)
        click.echo(_outcome(is_equal=all(one.is_equal for one in found), is_healed=is_healed))
    sys.exit(int(not (is_healed if asked.repair else all(one.is_equal for one in found))))


class _Asked(msgspec.Struct, frozen=True):
    seed: str | None
    aggregate: str | None
    repair: bool
    show_values: bool


async def _verify(settings: Settings, asked: _Asked) -> tuple[list[Verified], bool]:
    """What was found of each kind, and whether all of it is healed."""
    async with both_databases(settings, "verify") as adapters:
        _, gaps = await adapters.history.state()
        before = _read_now(adapters)
        found = [await _verify_kind(adapters, kind, gaps, asked) for kind in _chosen(adapters, asked)]
        await adapters.projections.follow()
        if _read_now(adapters) != before:
            msg = "Other collections are read by now: a rebuild has switched to them. Run it again."
            raise click.ClickException(msg)
        if not asked.repair:
            return found, False
        is_done = await _wait_for_repairs(adapters, [one.kind for one in found])
        return found, is_done and not any(one.lost or one.set_aside for one in found)


def _read_now(adapters: Adapters) -> dict[str, Generation]:
    return {kind: each.projection.live for kind, each in adapters.projections.collections.items()}


def _chosen(adapters: Adapters, asked: _Asked) -> list[VerifiedKind]:
    kinds = list(adapters.verified.values())
    chosen = [each for each in kinds if asked.aggregate in (None, each.kind, each.plural)]
    if not chosen:
        msg = f"There is no {asked.aggregate!r} here. There are: {', '.join(each.plural for each in kinds)}."
        raise click.UsageError(msg)
    return chosen


async def _verify_kind(
    adapters: Adapters, kind: VerifiedKind, gaps: Sequence[tuple[int, int]], asked: _Asked
) -> Verified:
    differences: list[ShownDifference] = []

    async def found(news: Sequence[Difference]) -> None:
        room = MOST_IN_JSON - len(differences)
        differences.extend(shown(each, values=asked.show_values) for each in news[:room])
        if asked.repair:
            await adapters.repairs.ask_for(news, REASON)

    chunks = Chunks(adapters.database, kind.kind, ROWS_A_CHUNK)
    with _progress() as progress:
        task = progress.add_task(kind.plural, total=await chunks.about_how_many())
        tally = await verify_all(
            Verifier(kind, found, gaps, asked.seed),
            chunks,
            lambda so_far: progress.update(task, completed=so_far.checked),
        )
    counts = {what.value: tally.differences[what] for what in What}
    return Verified(
        kind=kind.kind,
        plural=kind.plural,
        is_equal=tally.is_equal,
        checked=tally.checked,
        equal=tally.equal,
        pending=tally.pending,
        set_aside=tally.set_aside,
        differences=differences,
        **counts,
    )


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


async def _wait_for_repairs(adapters: Adapters, kinds: Sequence[str]) -> bool:
    """Wait until all repairs of these kinds are done, as long as something goes on. Whether they are."""
    last: Any = None
    moved_at = time.monotonic()
    while True:
        state = await adapters.repairs.open(kinds)
        if not state[0]:
            return True
        if state != last:
            last, moved_at = state, time.monotonic()
        elif time.monotonic() - moved_at > PATIENCE_SECONDS:
            click.echo(
                f"{state[0]:,} repairs are still to be done. Running instances do them: is one running? "
                "`tandem repairs` shows them, and why the last try did not succeed.",
                err=True,
            )
            return False
        await asyncio.sleep(0.2)


def _print(found: Sequence[Verified]) -> None:
    names = ("checked", "equal", *(what.value for what in What), "pending")
    table = FittedTable(Column("", is_number=False), *map(Column, names), Column("set aside"))
    for one in found:
        table.add_row(one.plural, *(f"{getattr(one, name):,}" for name in names), f"{one.set_aside:,}")
    console = Console()
    console.print(table)
    for one in found:
        if one.differences:
            console.print(_table_of(one.differences[:MOST_SHOWN], one.kind))
        if len(one.differences) > MOST_SHOWN:
            console.print(f"These are the first {MOST_SHOWN}; --json shows more.")
        if one.set_aside:
            click.echo(f"Some {one.plural} were set aside: `tandem dead-letters list` shows why.")
        if one.lost:
            click.echo(
                f"MongoDB has {one.lost:,} {one.plural} that PostgreSQL has lost. They are left as they are: "
                "docs/operations.md says what to do."
            )


def _outcome(*, is_equal: bool, is_healed: bool) -> str:
    if is_equal:
        return "Equal."
    return "Not equal, but all of it is healed by now." if is_healed else "Not equal."


def _table_of(differences: Sequence[ShownDifference], kind: str) -> FittedTable:
    table = FittedTable(
        Column(kind, fold_at=20),
        Column("version", spare=1),
        Column("what", is_number=False),
        Column("how", fold_at=30, is_number=False),
    )
    for each in differences:
        version = "" if each.version is None else str(each.version)
        table.add_row(each.id, version, each.what, each.how)
    return table
