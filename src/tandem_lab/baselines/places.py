"""Where a baseline keeps its users: the service's tables in a schema, and a collection, of its own.

So it works on the same servers with the same tables, and neither disturbs the service nor is in its
statistics. The URLs are the owner's, who need not have the right to create databases.
"""

import os
import sys
from datetime import timedelta

import asyncpg

from tandem.config import SettingsError, load_settings
from tandem.user_command.migrate import migrate
from tandem.user_query.database import MAJORITY, Client, Users
from tandem.user_query.indexes import INDEXES

DEADLINE = timedelta(seconds=30)


def server_urls() -> tuple[str, str]:
    """POSTGRES_URL and MONGODB_URL of the environment; without them the program ends and says so."""
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"{error} `tandem status --json` shows the URLs of a running stack.")
    return settings.postgres_url, settings.mongodb_url


async def fresh_schema(postgres_url: str, name: str) -> str:
    """Make the schema afresh, migrated as the service's is. The URL of who works in it."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")
    await connection.close()
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={name}"
    await migrate(url, DEADLINE)
    return url


async def fresh_collection(client: Client, name: str) -> Users:
    """Make the collection afresh, with the service's indexes and acknowledgements."""
    users = client.get_default_database("tandem").get_collection(name, write_concern=MAJORITY)
    await users.drop()
    await users.create_indexes(INDEXES)
    return users
