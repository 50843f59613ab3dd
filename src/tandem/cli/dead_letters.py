"""`tandem dead-letters`: see what MongoDB refused for good, and send it on its way again."""

from pathlib import Path

import click
import msgspec
from rich.console import Console

from tandem.cli.http import address_options, ask, base_url
from tandem.cli.tables import Column, FittedTable
from tandem.mongodb.identity import fingerprint_in
from tandem.user_command.dead_letters import DeadLetter, Retried

PATH = "/api/v1/dead-letters"
PAGE = 1000


@click.group
def dead_letters() -> None:
    """See what MongoDB refused for good, and send it on its way again."""


@dead_letters.command("list")
@address_options
def list_(url: str | None, data_dir: Path) -> None:
    """List the users that were set aside, and why."""
    base = base_url(url, data_dir)
    letters: list[DeadLetter] = []
    while page := _page(base, letters[-1].user_id if letters else 0):
        letters += page
    if not letters:
        click.echo("No dead letters.")
        return
    Console().print(table_of(letters))


@dead_letters.command
@click.argument("user_id", type=click.IntRange(min=1))
@address_options
def show(user_id: int, url: str | None, data_dir: Path) -> None:
    """Show one dead letter with the state that was refused, as JSON."""
    click.echo(msgspec.json.format(ask(f"{base_url(url, data_dir)}{PATH}/{user_id}"), indent=2))


@dead_letters.command
@click.argument("user_id", type=click.IntRange(min=1), required=False)
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option(
    "--replace",
    is_flag=True,
    help="Where MongoDB has another user under the same id (an identity conflict): write over that one.",
)
@address_options
def retry(user_id: int | None, every: bool, replace: bool, url: str | None, data_dir: Path) -> None:
    """Send one user on its way again, or all of them."""
    if (user_id is None) != every:
        msg = "Name one user by its id, or say --all."
        raise click.UsageError(msg)
    base = base_url(url, data_dir)
    way = "replace" if replace else "retry"
    if every:
        retried = _replace_all(base) if replace else _retry_all(base)
    else:
        retried = _retry(f"{base}{PATH}/{user_id}/{way}")
    click.echo(f"{retried} {'user is' if retried == 1 else 'users are'} on {_whose(retried)} way again.")


def _retry_all(base: str) -> int:
    retried = some = _retry(f"{base}{PATH}/retry")
    while some == PAGE:  # after a shorter one, only users are left that were refused again meanwhile
        some = _retry(f"{base}{PATH}/retry")
        retried += some
    return retried


def _replace_all(base: str) -> int:
    replaced = after = 0
    while page := _page(base, after):
        after = page[-1].user_id
        conflicts = [letter for letter in page if fingerprint_in(letter.error) is not None]
        replaced += sum(_retry(f"{base}{PATH}/{letter.user_id}/replace") for letter in conflicts)
    return replaced


def _retry(address: str) -> int:
    return msgspec.json.decode(ask(address, "POST"), type=Retried).retried


def _page(base: str, after: int) -> list[DeadLetter]:
    return msgspec.json.decode(ask(f"{base}{PATH}?limit={PAGE}&after={after}"), type=list[DeadLetter])


def _whose(count: int) -> str:
    return "its" if count == 1 else "their"


def table_of(letters: list[DeadLetter]) -> FittedTable:
    """A line for each dead letter."""
    table = FittedTable(
        Column("user"),
        Column("seed", spare=1, fold_at=20, is_number=False),
        Column("since", spare=2, is_number=False),
        Column("error", fold_at=24, is_number=False),
        elsewhere="`tandem dead-letters show` shows all of one user.",
    )
    for letter in letters:
        since = letter.created_at.isoformat(timespec="seconds")
        table.add_row(str(letter.user_id), letter.seed, since, letter.error)
    return table
