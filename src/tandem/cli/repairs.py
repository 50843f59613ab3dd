"""`tandem repairs`: what was repaired, why, and what is still to be."""

import asyncio
from collections.abc import Sequence

import click
import msgspec
from rich.console import Console

from tandem.cli.databases import FindSettings, both_databases, database_options
from tandem.cli.tables import Column, FittedTable
from tandem.config import Settings
from tandem.verification.repairs import Repair


@click.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many.")
@click.option("--show-documents", is_flag=True, help="In JSON: with the documents that were removed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@database_options
def repairs(find_settings: FindSettings, limit: int, show_documents: bool, as_json: bool) -> None:
    """List the last differences between the stores that were repaired or are to be, the latest first."""
    found = asyncio.run(_last(find_settings(), limit, with_documents=show_documents))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    elif found:
        Console().print(_table_of(found))
    else:
        click.echo("Nothing was repaired.")


async def _last(settings: Settings, limit: int, *, with_documents: bool) -> list[Repair]:
    async with both_databases(settings, "repairs") as adapters:
        return await adapters.repairs.last(limit, with_documents=with_documents)


def _table_of(found: Sequence[Repair]) -> FittedTable:
    table = FittedTable(
        Column("kind", spare=1, is_number=False),
        Column("id", fold_at=20),
        Column("what", is_number=False),
        Column("fields", fold_at=20, is_number=False),
        Column("asked by", spare=2, is_number=False),
        Column("found", spare=3, is_number=False),
        Column("repaired", is_number=False, fold_at=20),
    )
    for one in found:
        found_at = one.found_at.isoformat(timespec="seconds")
        ended = one.repaired_at.isoformat(timespec="seconds") if one.repaired_at else one.error or "not yet"
        table.add_row(one.kind, one.id, one.what, ", ".join(one.fields), one.reason, found_at, ended)
    return table
