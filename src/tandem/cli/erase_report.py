"""`tandem erase-report`: what is still there of a user, table by table and collection by collection."""

import asyncio
import os
import sys
from datetime import timedelta

import click
import msgspec
from rich.console import Console

from tandem.cli.tables import Column, FittedTable
from tandem.config import Settings, load_settings
from tandem.cqrs.user import KIND
from tandem.mongodb.client import collection_of, open_client, translated
from tandem.postgres.database import Database
from tandem.projections.followed import names_of
from tandem.user_command.archived_events import ArchivedEvents
from tandem.user_command.erasure import Place, place_of, places_in_archive, places_in_postgresql
from tandem.user_query.database import COLLECTION


@click.command("erase-report")
@click.argument("user_id", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def erase_report(user_id: int, as_json: bool) -> None:
    """Show what both databases hold of a user: how many rows, and which fields tell of the person.

    Values are not shown. The exit code is 1 while some field tells of the person. Backups age out by
    themselves: see Erase a person in docs/operations.md.
    """
    places = asyncio.run(_places(load_settings(os.environ), user_id))
    if as_json:
        click.echo(msgspec.json.encode(places).decode())
    else:
        Console().print(_table(places))
    sys.exit(int(any(place.personal_fields for place in places)))


async def _places(settings: Settings, user_id: int) -> list[Place]:
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    database = await Database.connect(
        settings.postgres_url, name="erase-report", deadline=deadline, connections=1
    )
    client = open_client(settings.mongodb_url, name="erase-report", deadline=deadline)
    try:
        archived = ArchivedEvents(database, settings.event_archive_dir)
        places = await places_in_postgresql(database, user_id)
        places += await places_in_archive(archived, user_id)
        for name in (await names_of(database, {KIND: COLLECTION}))[KIND]:
            with translated():
                documents = await collection_of(client, name).find({"_id": user_id}).to_list(None)
            places.append(place_of("MongoDB", name, documents))
        return places
    finally:
        await database.close()
        await client.close()


def _table(places: list[Place]) -> FittedTable:
    table = FittedTable(
        Column("store", is_number=False),
        Column("table or collection", is_number=False),
        Column("rows"),
        Column("fields that tell of the person", is_number=False, fold_at=40),
    )
    for place in places:
        fields = ", ".join(place.personal_fields) or "none"
        table.add_row(place.store, place.name, str(place.count), fields)
    return table
