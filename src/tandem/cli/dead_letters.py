"""`tandem dead-letters`: see what MongoDB refused for good, and send it on its way again."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from tandem.aggregates.names_controller import USERS
from tandem.cli.aggregates import aggregate_option, names_of
from tandem.cli.http import address_options, ask, base_url
from tandem.cli.tables import Column, FittedTable
from tandem.mongodb.identity import fingerprint_in
from tandem.user_command.dead_letters import AggregateDeadLetter, DeadLetter, Retried

PAGE = 1000

Letter = DeadLetter | AggregateDeadLetter


class Letters:
    """The dead letters of one kind, at a running instance."""

    def __init__(self, base: str, aggregate: str) -> None:
        self.names = names_of(base, aggregate)
        is_of_users = self.names == USERS
        self.address = f"{base}/api/v1/{'' if is_of_users else f'{self.names.name}-'}dead-letters"
        self._type: Any = list[DeadLetter] if is_of_users else list[AggregateDeadLetter]

    def page(self, after: int) -> list[Letter]:
        """Those with ids above `after`, at most a page."""
        page: list[Letter] = msgspec.json.decode(
            ask(f"{self.address}?limit={PAGE}&after={after}"), type=self._type
        )
        return page

    def retry(self, path: str = "/retry") -> int:
        """Send some on their way again; how many they were."""
        return msgspec.json.decode(ask(f"{self.address}{path}", "POST"), type=Retried).retried

    def retry_all(self) -> int:
        """Send all on their way again; how many they were."""
        retried = some = self.retry()
        while some == PAGE:  # after a shorter one, only those are left that were refused again meanwhile
            some = self.retry()
            retried += some
        return retried

    def replace_all(self) -> int:
        """Write all that are identity conflicts over the documents in their way; how many they were."""
        replaced = after = 0
        while page := self.page(after):
            after = page[-1].id
            conflicts = [letter for letter in page if fingerprint_in(letter.error) is not None]
            replaced += sum(self.retry(f"/{letter.id}/replace") for letter in conflicts)
        return replaced


FindLetters = Callable[[], Letters]


def about_letters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which dead letters it is about; it is given what finds them."""

    @aggregate_option
    @address_options
    @wraps(command)
    def asked(aggregate: str, url: str | None, data_dir: Path, **more: Any) -> None:
        command(lambda: Letters(base_url(url, data_dir), aggregate), **more)

    return asked


@click.group
def dead_letters() -> None:
    """See what MongoDB refused for good, and send it on its way again."""


@dead_letters.command("list")
@about_letters
def list_(find: FindLetters) -> None:
    """List the users that were set aside, and why."""
    where = find()
    letters: list[Letter] = []
    while page := where.page(letters[-1].id if letters else 0):
        letters += page
    if not letters:
        click.echo("No dead letters.")
        return
    Console().print(table_of(letters, where.names.name))


@dead_letters.command
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
@about_letters
def show(find: FindLetters, id_: int) -> None:
    """Show one dead letter with the state that was refused, as JSON."""
    click.echo(msgspec.json.format(ask(f"{find().address}/{id_}"), indent=2))


@dead_letters.command
@click.argument("id_", metavar="[ID]", type=click.IntRange(min=1), required=False)
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option(
    "--replace",
    is_flag=True,
    help="Where MongoDB has another one under the same id (an identity conflict): write over that one.",
)
@about_letters
def retry(find: FindLetters, id_: int | None, every: bool, replace: bool) -> None:
    """Send one user on its way again, or all of them."""
    if (id_ is None) != every:
        msg = "Name one by its id, or say --all."
        raise click.UsageError(msg)
    letters = find()
    way = "replace" if replace else "retry"
    if every:
        retried = letters.replace_all() if replace else letters.retry_all()
    else:
        retried = letters.retry(f"/{id_}/{way}")
    names = letters.names
    who = f"{names.name} is on its" if retried == 1 else f"{names.plural} are on their"
    click.echo(f"{retried} {who} way again.")


def table_of(letters: Sequence[Letter], what: str = USERS.name) -> FittedTable:
    """A line for each dead letter of a kind, which is called this."""
    table = FittedTable(
        Column(what),
        Column("seed", spare=1, fold_at=20, is_number=False),
        Column("since", spare=2, is_number=False),
        Column("error", fold_at=24, is_number=False),
        elsewhere="`tandem dead-letters show` shows all of one.",
    )
    for letter in letters:
        since = letter.created_at.isoformat(timespec="seconds")
        table.add_row(str(letter.id), letter.seed, since, letter.error)
    return table
