"""`tandem rebuild`: make all documents anew in another collection, without downtime."""

import asyncio
import sys
import time
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tandem.app.adapters import Adapters
from tandem.app.rebuild import Rebuild
from tandem.app.rebuild_plan import Plan, plan_of
from tandem.app.rebuilt import RebuiltKind, kinds_to_rebuild
from tandem.cli.databases import FindSettings, both_databases, database_options
from tandem.cli.interruption import INTERRUPTED, interruptible
from tandem.config import Settings
from tandem.projections.lock import sole_rebuild
from tandem.projections.pace import Pace

SECONDS_BETWEEN_LINES = 5.0


class _Asked(msgspec.Struct, frozen=True):
    aggregate: str
    pace: float | None
    max_lag: float
    plan: bool
    back: bool
    drop: bool
    as_json: bool


@click.command()
@click.option("--aggregate", default="users", show_default=True, metavar="PLURAL", help="What to rebuild.")
@click.option(
    "--pace", type=click.FloatRange(min=1), metavar="PER_SECOND", help="At most so many documents a second."
)
@click.option(
    "--max-lag",
    type=click.FloatRange(0.05, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Go slowly enough that the 99th percentile of the lag stays under this.",
)
@click.option("--plan", is_flag=True, help="Only show what would change, and how long it would take.")
@click.option("--back", is_flag=True, help="Read the collection from before the last rebuild again.")
@click.option("--drop", is_flag=True, help="Remove the collection that is not read.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@database_options
def rebuild(find_settings: FindSettings, **choices: Any) -> None:
    """Build a new collection beside the live one, verify it, and let it be read instead.

    Commands and reads go on. One that was interrupted goes on where it was: run it again. It needs the
    databases' owner, as `tandem migrate`. See docs/rebuild.md.
    """
    asked = _Asked(**choices)
    if asked.plan + asked.back + asked.drop > 1:
        raise click.UsageError("Give one of --plan, --back and --drop.")
    settings = find_settings()
    try:
        uvloop.run(interruptible(_rebuild(settings, asked)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo(
            "Interrupted. What was done is kept, and everything is served. `tandem rebuild --plan` shows "
            "where it stands.",
            err=True,
        )
        sys.exit(INTERRUPTED)


async def _rebuild(settings: Settings, asked: _Asked) -> None:
    async with both_databases(settings, "rebuild") as adapters:
        kind = _chosen(adapters, asked.aggregate)
        if asked.plan:
            return _print(await plan_of(adapters.database, kind, asked.pace), as_json=asked.as_json)
        pace = Pace(adapters.database, kind.kind, asked.max_lag, asked.pace)
        with _Progress() as shown:
            async with sole_rebuild(settings.postgres_url) as is_over:
                work = Rebuild(adapters.database, kind, pace, shown, is_over)
                await (work.back() if asked.back else work.drop() if asked.drop else work.run())
    return None


def _chosen(adapters: Adapters, plural: str) -> RebuiltKind:
    kinds = kinds_to_rebuild(adapters)
    if plural not in kinds:
        msg = f"There is no {plural!r} here. There are: {', '.join(kinds)}."
        raise click.UsageError(msg)
    return kinds[plural]


class _Progress:
    """Sentences, and how far it is: a bar on a terminal, else a line now and then. On stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        self._bars = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, Any] = {}
        self._next_line = 0.0

    def __enter__(self) -> "_Progress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """See `Shown`."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def advance(self, what: str, done: int, total: int, pace: Pace) -> None:
        """See `Shown`."""
        lag = f"{pace.rate:,.0f}/s at most, lag {pace.lag:.2f} s"
        if self._console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = (self._bars.add_task(what, total=total, pace=lag), time.monotonic())
            self._bars.update(self._tasks[what][0], completed=done, total=total, pace=lag)
            return
        now = time.monotonic()
        self._tasks.setdefault(what, (None, now))
        if now >= self._next_line or done == total:
            self._next_line = now + SECONDS_BETWEEN_LINES
            left = (now - self._tasks[what][1]) * (total - done) / max(1, done)
            self.say(f"{what} {done:,} of about {total:,}, {left:.0f} s to go; {lag}")


def _print(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        return click.echo(msgspec.json.format(msgspec.json.encode(plan), indent=2))
    click.echo(
        f"{plan.documents:,} {plan.plural}: {plan.live} (shape {plan.shape}, "
        f"{plan.live_bytes / 1e6:,.0f} MB) to {plan.new} (shape {plan.new_shape}), "
        f"in about {plan.about_seconds:,.0f} s if the lag allows it."
    )
    if plan.phase:
        click.echo(f"There is another collection already ({plan.phase}).")
    for what in ("added", "removed", "changed"):
        for field, count in getattr(plan, what).items():
            click.echo(f"{what} in {count:,} of {plan.looked_at:,} that were looked at: {field}")
    return None
