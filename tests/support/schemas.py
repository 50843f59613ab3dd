"""Databases at any version of the schema, what is in them, and programs of other versions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg

from tandem.kernel import Backoff
from tandem.user_command.migrate import Patience, migrate
from tandem.user_command.schema import Migration, Schema, this_schema

DEADLINE = timedelta(seconds=30)
# Short tries without rests, and all the time that a busy machine needs.
QUICK = Patience(
    one_try=timedelta(milliseconds=300),
    rest=Backoff(first=timedelta(milliseconds=100), longest=timedelta(milliseconds=100)),
    in_all=timedelta(minutes=4),
)
NEXT = max(this_schema().migrations) + 1

ADDITIVE = "-- additive: yes\nALTER TABLE prm_user ADD COLUMN nickname text"
BREAKING = "-- additive: no\nALTER TABLE prm_user_location RENAME COLUMN city TO town"

# What tells two schemas apart. Columns may stand in any order, as they do after ALTER TABLE.
_CONTENTS = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attacl::text
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
        order by 1, 2
    """,
    "relations": """
        select relname, relkind::text, reloptions::text, relacl::text from pg_class
        where relnamespace = 'public'::regnamespace order by 1
    """,
    "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace order by 1, 2
    """,
    "labels": "select enumtypid::regtype::text, enumlabel from pg_enum order by 1, enumsortorder",
    "sequences": "select seqrelid::regclass::text, seqmax, seqcache from pg_sequence order by 1",
    "migrations": "select number, name, additive from tandem_migration order by 1",
}


def up_to(number: int) -> Schema:
    """This program's migrations up to that number, without the rights, which are those of the whole."""
    return Schema.of(one for one in this_schema().migrations.values() if one.number <= number)


def with_one_more(sql: str, name: str = "one_more") -> Schema:
    """The schema of a version after this one."""
    mine = this_schema()
    return Schema.of([*mine.migrations.values(), Migration.of(f"{NEXT:03}_{name}.sql", sql)], mine.grants)


async def contents(connection: asyncpg.Connection) -> dict[str, list[tuple]]:
    """All that is in the schema, to be compared."""
    return {name: [tuple(row) for row in await connection.fetch(sql)] for name, sql in _CONTENTS.items()}


async def tables(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public' order by 1")
    return [row["tablename"] for row in rows]


@asynccontextmanager
async def open_reader(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that reads all tables and does not end: what a `pg_dump` is to a migration."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "pg_dump"})
    try:
        async with connection.transaction():
            for table in await tables(connection):
                await connection.execute(f"lock table {table} in access share mode")
            yield connection
    finally:
        await connection.close()


class Writers:
    """Somebody who takes the lock of a write on every table, over and over."""

    def __init__(self) -> None:
        self.rounds = 0

    @asynccontextmanager
    async def writing(self, url: str) -> AsyncIterator[None]:
        connection = await asyncpg.connect(url)
        task = asyncio.create_task(self._write(connection, await tables(connection)))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            connection.terminate()

    async def _write(self, connection: asyncpg.Connection, names: list[str]) -> None:
        while True:
            for name in names:
                async with connection.transaction():
                    await connection.execute(f"lock table {name} in row exclusive mode")
            self.rounds += 1


class Reports(list[str]):
    """What a migration says, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, text: str) -> None:
        self.append(text)
        self._news.set()

    async def until(self, count: int) -> None:
        """Wait until it has said so much."""
        async with asyncio.timeout(120):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()


async def migrate_to(schema: Schema, url: str, report=lambda _: None, patience=QUICK) -> list[str]:
    """The names of the migrations that were missing."""
    return await migrate(url, DEADLINE, patience=patience, report=report, schema=schema)
