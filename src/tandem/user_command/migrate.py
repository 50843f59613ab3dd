"""Migrations: numbered SQL files, applied once each, in order, by the owner.

Instances never migrate. They check the version and refuse to start on another one.
"""

from datetime import timedelta
from importlib import resources

import asyncpg

from tandem.kernel import Unavailable, UnsuitableServer
from tandem.user_command.database import Database, unreachable

# Any number will do, as long as everybody who migrates this system takes the same.
ADVISORY_LOCK = 0x7A6DE8

_FILES = resources.files(__package__).joinpath("migrations")


def migrations() -> dict[int, tuple[str, str]]:
    """Number to (file name, SQL) of every migration, in order."""
    names = sorted(file.name for file in _FILES.iterdir() if file.name[:3].isdigit())
    return {int(name[:3]): (name, _FILES.joinpath(name).read_text("utf-8")) for name in names}


async def migrate(url: str, deadline: timedelta) -> list[str]:
    """Apply the migrations that are missing and grant the service role its rights. The names of the applied.

    Two at a time are safe: the second waits for the first, then finds nothing to do.

    Raises:
        UnsuitableServer: the server cannot be reached, is too old, or refuses a statement.
    """
    database = await Database.connect(url, name="migrate", deadline=deadline, connections=1)
    await database.close()
    try:
        connection = await asyncpg.connect(url, timeout=deadline.total_seconds())
        try:
            return await _migrate(connection)
        finally:
            await connection.close()
    except asyncpg.InsufficientPrivilegeError as error:
        msg = f"PostgreSQL refuses to migrate: {error}. Migrate as the owner of the database."
        raise UnsuitableServer(msg) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise UnsuitableServer(unreachable(url, error)) from error


async def _migrate(connection: asyncpg.Connection) -> list[str]:
    await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS tandem_migration ("
        "number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["number"] for row in await connection.fetch("SELECT number FROM tandem_migration")}
    missing = {number: file for number, file in migrations().items() if number not in applied}
    for number, (name, sql) in missing.items():
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute(
                "INSERT INTO tandem_migration (number, name) VALUES ($1, $2)", number, name
            )
    await connection.execute(_FILES.joinpath("grants.sql").read_text("utf-8"))
    return [name for name, _ in missing.values()]


async def require_migrated(database: Database) -> None:
    """Refuse a database whose version is not this program's.

    Raises:
        UnsuitableServer: says which version was found and what to do.
        Unavailable: PostgreSQL does not answer.
    """
    wanted = max(migrations())
    try:
        rows = await database.fetch("schema_version")
    except Unavailable as error:
        if not isinstance(error.__cause__, asyncpg.UndefinedTableError | asyncpg.InsufficientPrivilegeError):
            raise
        msg = "The database is not migrated, or this role has no rights. Run `tandem migrate` as its owner."
        raise UnsuitableServer(msg) from error
    found = rows[0]["version"]
    if found != wanted:
        remedy = "Run `tandem migrate`" if found < wanted else "Use the newer program"
        msg = f"The database has version {found}, this program needs {wanted}. {remedy}."
        raise UnsuitableServer(msg)
