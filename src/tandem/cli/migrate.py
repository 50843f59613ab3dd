"""`tandem migrate`: bring both databases to this program's version."""

import asyncio
import os
import sys
from datetime import timedelta

import click

from tandem.cli.running import INTERRUPTED, interruptible
from tandem.config import Settings, SettingsError, load_settings
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.user_command import migrate as postgres
from tandem.user_query import database as mongodb


@click.command()
def migrate() -> None:
    """Bring the databases at POSTGRES_URL and MONGODB_URL to this program's version, as their owner.

    Running it again, or twice at a time, is harmless.
    """
    try:
        applied = asyncio.run(interruptible(_migrate(load_settings(os.environ))))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Interrupted. Run it again: what was applied stays, and nothing is half done.", err=True)
        sys.exit(INTERRUPTED)
    except (SettingsError, UnsuitableServer, Unavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Applied: {', '.join(applied)}." if applied else "Both databases are up to date.")


async def _migrate(settings: Settings) -> list[str]:
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    applied = await postgres.migrate(settings.postgres_url, deadline)
    client = mongodb.open_client(settings.mongodb_url, name="migrate", deadline=deadline)
    try:
        await mongodb.create_indexes(client, settings.mongodb_url)
    finally:
        await client.close()
    return applied
