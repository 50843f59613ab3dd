"""The schema as numbered SQL files, and whether a database has the one that this program works with.

Each file begins with `-- additive: yes` or `-- additive: no`: whether programs of the version before go on
with the database once it is applied. `tandem_migration` remembers that, so that a program can tell of
migrations that it does not know whether they are in its way.

A file is one transaction, unless lines `-- step` and `-- step without a transaction` divide it. All steps but
the last have to be harmless twice: a file is remembered with its last step.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import resources
from itertools import pairwise
from typing import Any, Self

import asyncpg
import msgspec

from tandem.kernel import Unavailable, UnsuitableServer
from tandem.postgres.database import Database
from tandem.user_command.queries import QUERIES

_FILES = resources.files(__package__).joinpath("migrations")
_ADDITIVE = {"-- additive: yes": True, "-- additive: no": False}
_STEP = re.compile(r"^-- step( without a transaction)?$", re.MULTILINE)


class Step(msgspec.Struct, frozen=True):
    """A part of a migration: one transaction, or statements that are each carried out by themselves."""

    sql: str
    in_transaction: bool = True

    @property
    def statements(self) -> list[str]:
        """What is sent to the server, one after the other."""
        return [self.sql] if self.in_transaction else [one for one in self.sql.split(";\n") if one.strip()]


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, its name, its SQL, and whether the version before goes on with it."""

    number: int
    name: str
    sql: str
    additive: bool

    @classmethod
    def of(cls, name: str, sql: str) -> Self:
        """The migration in the file of this name.

        Raises:
            ValueError: its first line does not say whether it is additive.
        """
        first = sql.partition("\n")[0]
        if first not in _ADDITIVE:
            msg = f"{name} has to begin with `-- additive: yes` or `-- additive: no`."
            raise ValueError(msg)
        return cls(int(name[:3]), name, sql, _ADDITIVE[first])

    @property
    def steps(self) -> list[Step]:
        """What it does, in order."""
        first, *more = _STEP.split(self.sql)
        later = zip(more[1::2], more[::2], strict=True)
        return [Step(first), *(Step(sql, in_transaction=not without) for sql, without in later)]

    @property
    def checksum(self) -> str:
        """Of its SQL, whatever its line endings."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Schema(msgspec.Struct, frozen=True):
    """What a program brings a database to: migrations by number, in order, and then the rights."""

    migrations: Mapping[int, Migration]
    grants: str = ""
    #: Applies more after that, by the same `migrate.Steps`; the names of what it has applied.
    then: Callable[[Any], Awaitable[list[str]]] | None = None

    @classmethod
    def of(cls, migrations: Iterable[Migration], grants: str = "") -> Self:
        """The schema of these migrations.

        Raises:
            ValueError: two of them have one number.
        """
        ordered = sorted(migrations, key=lambda one: one.number)
        for one, other in pairwise(ordered):
            if one.number == other.number:
                msg = f"{one.name} and {other.name} have one number: give one of them the next free one."
                raise ValueError(msg)
        return cls({one.number: one for one in ordered}, grants)


_NOT_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InsufficientPrivilegeError,
)


class Applied(msgspec.Struct, frozen=True):
    """A row of `tandem_migration`. Rows from before version 0.2 have no checksum."""

    number: int
    name: str
    additive: bool | None
    checksum: str | None


def this_schema() -> Schema:
    """The schema of this program."""
    files = [file for file in _FILES.iterdir() if file.name[:3].isdigit()]
    migrations = [Migration.of(file.name, file.read_text("utf-8")) for file in files]
    return Schema.of(migrations, _FILES.joinpath("grants.sql").read_text("utf-8"))


def require_known_or_additive(applied: Iterable[Applied], schema: Schema) -> None:
    """Refuse a database in which something was applied that the programs of `schema` cannot live with.

    Raises:
        UnsuitableServer: names the first migration that is not what this program has under its number, or
            that this program does not know and that is not additive.
    """
    for row in sorted(applied, key=lambda row: row.number):
        known = schema.migrations.get(row.number)
        if known is None:
            if not row.additive:
                msg = (
                    f"The database has version {row.number}: its migration {row.name} changes what this "
                    f"program relies on, which knows version {max(schema.migrations)}. Use the newer program."
                )
                raise UnsuitableServer(msg)
        elif row.name != known.name:
            msg = (
                f"The database has {row.name} as its migration {row.number}, and this program has "
                f"{known.name}: they are of different lines of development. Use the program that made it."
            )
            raise UnsuitableServer(msg)
        elif row.checksum not in (None, known.checksum):
            msg = (
                f"{row.name} was changed after it had been applied to this database, so nobody knows what is "
                "in there. Take the file back to what it was, and put the change into a new migration."
            )
            raise UnsuitableServer(msg)


async def require_migrated(database: Database, schema: Schema | None = None) -> None:
    """Refuse a database that lacks a migration of this program, or has one that stands in its way.

    Raises:
        UnsuitableServer: says which migration it is and what to do.
        Unavailable: PostgreSQL does not answer.
    """
    schema = schema or this_schema()
    try:
        applied = [Applied(**dict(row)) for row in await database.fetch(QUERIES["applied_migrations"])]
    except Unavailable as error:
        if not isinstance(error.__cause__, _NOT_MIGRATED):
            raise
        msg = "The database is not migrated, or this role has no rights. Run `tandem migrate` as its owner."
        raise UnsuitableServer(msg) from error
    require_known_or_additive(applied, schema)
    missing = schema.migrations.keys() - {row.number for row in applied}
    if missing:
        name = schema.migrations[min(missing)].name
        msg = f"The database lacks {name}, which this program needs. Run `tandem migrate` as its owner."
        raise UnsuitableServer(msg)
