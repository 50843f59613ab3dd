"""Brings PostgreSQL to this program's schema, as its owner, while everybody else goes on.

`ALTER TABLE` waits for whoever reads the table, even a `pg_dump` of hours, and whoever comes later waits
behind it. So each migration waits for its locks for two seconds, lets the others pass, and tries again.

Instances never migrate: see `schema.py` for what they ask for.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import asyncpg
import msgspec

from tandem.kernel import Backoff, UnsuitableServer
from tandem.kernel.waiting import happens
from tandem.postgres.database import Database, unreachable
from tandem.postgres.faults import DRIVER_ERRORS, NoPrimary
from tandem.postgres.hosts import open_session
from tandem.user_command.lock_holders import who_blocks, who_holds
from tandem.user_command.queries import QUERIES
from tandem.user_command.schema import (
    Applied,
    Migration,
    Schema,
    Step,
    require_known_or_additive,
    this_schema,
)

# Any number will do, as long as everybody who migrates this system takes the same.
ADVISORY_LOCK = 0x7A6DE8

# Only what is missing is added: even an ALTER that finds nothing to do waits for all readers.
_BOOKKEEPING = """
DO $$
BEGIN
    IF to_regclass('tandem_migration') IS NULL THEN
        CREATE TABLE tandem_migration (
            number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = to_regclass('tandem_migration') AND attname = 'additive') THEN
        ALTER TABLE tandem_migration ADD COLUMN additive boolean, ADD COLUMN checksum text;
    END IF;
END $$
"""

# Of a server that may be there, or as it should be, in a moment. Accounts and databases may be made after the
# server was started, and a standby may be about to become the primary.
_MAY_PASS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    NoPrimary,
)

Report = Callable[[str], None]

_REMEMBER = "INSERT INTO tandem_migration (number, name, additive, checksum) VALUES ($1, $2, $3, $4)"


class Patience(msgspec.Struct, frozen=True):
    """How long a migration waits for locks: at a time, between two times, and in all.

    One try is well below a lease (LEASE_SECONDS), whose renewals may have to wait for it.
    """

    one_try: timedelta = timedelta(seconds=2)
    rest: Backoff = Backoff(first=timedelta(seconds=5), longest=timedelta(seconds=20))
    in_all: timedelta = timedelta(minutes=5)


async def migrate(
    url: str,
    deadline: timedelta,
    *,
    patience: Patience | None = None,
    report: Report = lambda _: None,
    schema: Schema | None = None,
) -> list[str]:
    """Apply the migrations that are missing and grant the service role its rights. The names of the applied.

    `report` is told what it waits for. Two at a time are safe: the second waits for the first, then finds
    nothing to do. Each migration is applied wholly or not at all.

    Raises:
        UnsuitableServer: the server cannot be reached, is too old, refuses a statement, has what this program
            cannot live with, or somebody has held a lock for too long.
    """
    with explained(url, "migrate"):
        database = await Database.connect(url, name="migrate", deadline=deadline, connections=1)
        await database.close()
        connection = await open_session(
            url, deadline.total_seconds(), server_settings={"application_name": "tandem migrate"}
        )
        try:
            steps = Steps(connection, url, patience or Patience(), report)
            return await steps.migrate(schema or this_schema())
        finally:
            await connection.close()


def may_pass(error: UnsuitableServer) -> bool:
    """Whether PostgreSQL may be usable in a moment, without anybody changing anything here."""
    return isinstance(error.__cause__, _MAY_PASS)


@contextmanager
def explained(url: str, do: str) -> Iterator[None]:
    """Say of an error that PostgreSQL cannot be reached, or that only the database's owner may `do` this.

    Raises:
        UnsuitableServer: what the error means.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        msg = f"PostgreSQL refuses to {do}: {error}. {do.capitalize()} as the owner of the database."
        raise UnsuitableServer(msg) from error
    except DRIVER_ERRORS as error:
        raise UnsuitableServer(unreachable(url, error)) from error


def first_line(error: BaseException) -> str:
    """What PostgreSQL says, without its hints."""
    return str(error).partition("\n")[0]


class Steps:
    """What is done one after the other, each within the patience."""

    def __init__(self, connection: asyncpg.Connection, url: str, patience: Patience, report: Report) -> None:
        self.connection = connection
        self._url = url
        self._patience = patience
        self._report = report

    async def migrate(self, schema: Schema) -> list[str]:
        """All of it; the names of the migrations that were missing."""
        await self._patiently("This migration", self._keep_out_others)
        await self.apply("The table of migrations", Step(_BOOKKEEPING))
        rows = await self.connection.fetch(QUERIES["applied_migrations"].sql)
        applied = [Applied(**dict(row)) for row in rows]
        require_known_or_additive(applied, schema)
        done = {row.number for row in applied}
        missing = [migration for number, migration in schema.migrations.items() if number not in done]
        # Rows from before this was written down. What the files were like then, nobody can say any more.
        before = [schema.migrations[row.number] for row in applied if row.additive is None]
        await self.connection.executemany(
            "UPDATE tandem_migration SET additive = $2 WHERE number = $1",
            [(migration.number, migration.additive) for migration in before],
        )
        for one in missing:
            row = (one.number, one.name, one.additive, one.checksum)
            await self.apply_migration(one.name, one, _REMEMBER, row)
        if schema.grants:
            await self.apply("The rights of the service role", Step(schema.grants))
        more = await schema.then(self) if schema.then else []
        return [migration.name for migration in missing] + more

    async def _keep_out_others(self) -> str | None:
        """Take the lock of all migrations, which ends with the connection; else say who has it."""
        if await self.connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
            return None
        return await who_holds(self.connection, ADVISORY_LOCK)

    async def apply_migration(
        self, what: str, migration: Migration, remember: str, row: Sequence[object]
    ) -> None:
        """Carry out all steps of a file, and with the last the query that remembers it, with its arguments.

        Raises:
            UnsuitableServer: somebody has held a lock for too long.
        """
        *before, last = migration.steps
        for step in before:
            await self.apply(what, step)
        await self.apply(what, last, remember, row)

    async def apply(self, what: str, step: Step, remember: str = "", row: Sequence[object] = ()) -> None:
        """Carry out one step, and with it the query that remembers it, with its arguments.

        Raises:
            UnsuitableServer: somebody has held a lock for too long.
        """

        async def attempt() -> str | None:
            is_over = asyncio.Event()
            watching = asyncio.create_task(self._who_blocks_us(is_over))
            try:
                await self._apply_once(step, remember, row)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                return await watching
            except asyncpg.InsufficientPrivilegeError:
                raise
            except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
                msg = f"{what} cannot be applied, and nothing of it was: {first_line(error)}."
                raise UnsuitableServer(msg) from error
            finally:
                is_over.set()
                await watching
            return None

        await self._patiently(what, attempt)

    async def _apply_once(self, step: Step, remember: str, row: Sequence[object]) -> None:
        milliseconds = int(self._patience.one_try.total_seconds() * 1000)
        await self.connection.execute(f"SET lock_timeout = {milliseconds}")
        async with self.connection.transaction() if step.in_transaction else nullcontext():
            for statement in step.statements:
                await self.connection.execute(statement)
            if remember:
                await self.connection.execute(remember, *row)

    async def _who_blocks_us(self, is_over: asyncio.Event) -> str:
        """Ask by a session of its own, while ours is waiting: afterwards nobody could say any more.

        Opening it may take a while on a busy machine, so it begins early. It is not cut off, which asyncio
        would complain about.
        """
        seconds = self._patience.one_try.total_seconds()
        if await happens(is_over, within_seconds=seconds / 4):
            return ""
        try:
            other = await open_session(self._url, seconds, command_timeout=seconds)
            try:
                await happens(is_over, within_seconds=seconds / 4)
                return await who_blocks(other, self.connection.get_server_pid())
            finally:
                other.terminate()
        except DRIVER_ERRORS:
            return "another session"

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[str | None]]) -> None:
        """Repeat `attempt`, which answers whose lock it waits for, until that is nobody's.

        Raises:
            UnsuitableServer: the time is up; says who holds the lock and what to do.
        """
        clock, in_all = asyncio.get_running_loop().time, self._patience.in_all.total_seconds()
        give_up = clock() + in_all
        for tries in itertools.count(1):
            holder = await attempt()
            if holder is None:
                return
            if clock() >= give_up:
                msg = (
                    f"{what} has waited {in_all:.0f} s for a lock that {holder} holds, and nothing of it is "
                    "done. Wait until that session ends, or end it (`select pg_terminate_backend(pid)`), "
                    "and run `tandem migrate` again. --lock-wait SECONDS makes it wait longer."
                )
                raise UnsuitableServer(msg)
            self._report(f"{what} waits for a lock that {holder} holds (try {tries}); other sessions go on.")
            await asyncio.sleep(min(self._patience.rest.seconds(tries), max(0, give_up - clock())))
