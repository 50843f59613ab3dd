"""Where a baseline keeps its users: the service's tables in a schema, and a collection, of its own.

So it uses the same servers and the same tables, does not disturb the service, and does not count in its
statistics. The URLs are the owner's. The owner needs no right to create databases.
"""

import os
import sys
from datetime import timedelta
from typing import Any

import asyncpg

from tandem.config import Settings, SettingsError, load_settings
from tandem.mongodb.client import MAJORITY, Client, Collection
from tandem.user_command.migrate import migrate
from tandem.user_query.indexes import INDEXES

DEADLINE = timedelta(seconds=30)


def settings() -> Settings:
    """POSTGRES_URL, MONGODB_URL, HOST and PORT of the environment; where one is missing the program ends."""
    try:
        return load_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"{error} `tandem status --json` shows the URLs of a running stack.")


async def fresh_schema(postgres_url: str, name: str) -> str:
    """Make the schema afresh, migrated like the service's. Returns a URL that works in it."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")
    await connection.close()
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={name}"
    await migrate(url, DEADLINE)
    return url


async def fresh_collection(client: Client, name: str, *, keep: bool = False) -> Collection:
    """Make the collection afresh, or keep it; with the service's indexes and acknowledgements."""
    users = client.get_default_database("tandem").get_collection(name, write_concern=MAJORITY)
    if not keep:
        await users.drop()
    await users.create_indexes(INDEXES)
    return users


def user_columns(user: Any) -> dict[str, Any]:
    """The columns of a user's own row, by their names, from a user in the format of randomuser.me."""
    return {
        "email": user.email,
        "gender": user.gender,
        "title": user.name.title,
        "first_name": user.name.first,
        "last_name": user.name.last,
        "birth_at": user.dob.date,
        "birth_age": user.dob.age,
        "registered_at": user.registered.date,
        "registered_age": user.registered.age,
        "phone": user.phone,
        "cell": user.cell,
        "identity_name": user.id.name,
        "identity_value": user.id.value,
        "nationality": user.nat,
    }


def location_columns(location: Any) -> dict[str, Any]:
    """The columns of the row that says where a user lives."""
    return {
        "street_number": location.street.number,
        "street_name": location.street.name,
        "city": location.city,
        "state": location.state,
        "postcode": location.postcode,
        "latitude": location.coordinates.latitude,
        "longitude": location.coordinates.longitude,
    }
