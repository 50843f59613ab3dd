"""How commands that work with both databases learn where they are."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tandem.aggregates.installed import installed
from tandem.aggregates.migrate import require_migrated as require_aggregates_migrated
from tandem.app.adapters import Adapters, adapters_of
from tandem.cli.http import running_stack
from tandem.config import Settings, load_settings
from tandem.mongodb.client import open_client, require_suitable
from tandem.postgres.database import Database
from tandem.user_command.schema import require_migrated

CONNECTIONS = 4

#: Makes settings of a command's options, and raises as `settings_of`.
FindSettings = Callable[[], Settings]


def database_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command options for where both databases are. It is given what makes settings of them."""

    @wraps(command)
    def asked(data_dir: Path | None, postgres_url: str | None, mongodb_url: str | None, **more: Any) -> None:
        command(lambda: settings_of(data_dir, postgres_url, mongodb_url), **more)

    options = (
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            help="The databases of the stack that runs on this data folder.",
        ),
        click.option("--postgres-url", help="PostgreSQL.  [default: POSTGRES_URL, POSTGRES_URL_FILE]"),
        click.option("--mongodb-url", help="MongoDB.  [default: MONGODB_URL, MONGODB_URL_FILE]"),
    )
    for option in reversed(options):
        asked = option(asked)
    return asked


def settings_of(data_dir: Path | None, postgres_url: str | None, mongodb_url: str | None) -> Settings:
    """Settings with the databases that were named: by options, by the environment, or by a stack.

    Raises:
        UsageError: two of them were named.
        SettingsError, StackError: a database is not named, or no stack runs there.
    """
    environ = dict(os.environ)
    given = {"POSTGRES_URL": postgres_url, "MONGODB_URL": mongodb_url}
    if data_dir is not None:
        if postgres_url or mongodb_url:
            msg = "Name either a stack by --data-dir, or databases by their URLs."
            raise click.UsageError(msg)
        urls = running_stack().running_databases(data_dir.expanduser().absolute())
        given = dict(zip(given, urls, strict=True))
    for name, url in given.items():
        if url:
            environ[name] = url
            environ.pop(f"{name}_FILE", None)
    return load_settings(environ)


@asynccontextmanager
async def both_databases(settings: Settings, name: str) -> AsyncIterator[Adapters]:
    """Both, connected, for a command of this name; no instance begins.

    Raises:
        UnsuitableServer: one cannot be used, or is not migrated; says which address was tried.
    """
    deadline = timedelta(seconds=settings.database_timeout_seconds)
    client = open_client(settings.mongodb_url, name=name, deadline=deadline)
    try:
        await require_suitable(client, settings.mongodb_url)
        database = await Database.connect(
            settings.postgres_url, name=name, deadline=deadline, connections=CONNECTIONS
        )
        try:
            await require_migrated(database)
            await require_aggregates_migrated(database, installed())
            adapters = adapters_of(settings, database, client, installed())
            await adapters.projections.require_known_shapes()
            yield adapters
        finally:
            await database.close()
    finally:
        await client.close()
