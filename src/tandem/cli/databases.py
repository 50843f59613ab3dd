"""How commands that work with both databases learn where they are."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tandem.aggregates.installed import installed
from tandem.app.adapters import Adapters, connected
from tandem.cli.http import running_stack
from tandem.config import Settings, load_settings

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
            help="The databases of the stack that runs on this data folder.  [default: TANDEM_DATA_DIR, "
            "unless databases are named]",
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
    if data_dir is None and not any(name.removesuffix("_FILE") in given for name in environ if environ[name]):
        named = environ.get(running_stack().DATA_DIR_VARIABLE)
        data_dir = Path(named) if named and not (postgres_url or mongodb_url) else None
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


def both_databases(settings: Settings, name: str) -> AbstractAsyncContextManager[Adapters]:
    """Both, connected, for a command of this name; no instance begins.

    Raises:
        UnsuitableServer: one cannot be used, or is not migrated; says which address was tried.
    """
    return connected(settings, installed(), name=name, connections=CONNECTIONS)
