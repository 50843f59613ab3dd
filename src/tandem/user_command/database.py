"""PostgreSQL as the command side uses it: a pool, a deadline on every call, and errors of one kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg

from tandem.kernel import Unavailable, UnsuitableServer
from tandem.user_command.queries import QUERIES

OLDEST_VERSION = 18
UNREADABLE_URL = "its URL cannot be read: percent-encode what is special in the password"

# What says nothing about the items of a batch and may be gone on the next try.
TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # 57: shutdown, crash, cancelled by a timeout
    asyncpg.InsufficientResourcesError,  # 53: disk full, too many connections
    asyncpg.TransactionRollbackError,  # 40: deadlock, serialization
    asyncpg.PostgresSystemError,  # 58: the server's own I/O
    asyncpg.ReadOnlySQLTransactionError,  # 25006: a standby, for the time of a failover
    asyncpg.InvalidAuthorizationSpecificationError,  # 28: a password that is being changed
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # 25P03: we were too slow, and the session was ended
    asyncpg.TransactionTimeoutError,  # 25P04: the same
)

# Lost against another transaction: nothing was done, and another try at once has better luck.
LOST = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
MOST_TRIES = 4

# An item's own fault, although its class lies below a transient one.
ITEMS_FAULT = (asyncpg.DataError,)

# Each statement is planned once and its plan kept (planning costs as much as a batch of one). A plan made in
# the first minute must serve for millions of rows, so that scanning a whole table is no option.
SESSION_SETTINGS = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    "timezone": "UTC",
}


class Database:
    """A pool of connections. Each `run` of a query is one transaction with a deadline."""

    def __init__(self, pool: asyncpg.Pool, deadline: timedelta) -> None:
        self._pool = pool
        self._deadline = deadline.total_seconds()

    @classmethod
    async def connect(cls, url: str, *, name: str, deadline: timedelta, connections: int = 8) -> "Database":
        """Open the pool.

        Raises:
            UnsuitableServer: it cannot be reached, or is too old; says which address was tried.
        """
        seconds = deadline.total_seconds()
        settings = SESSION_SETTINGS | {
            "application_name": f"tandem {name}",
            "statement_timeout": f"{int(seconds * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(seconds * 2000)}",
        }
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=connections,
                timeout=seconds,
                command_timeout=seconds,
                max_cached_statement_lifetime=0,
                max_queries=1_000_000_000,
                reset=_keep_session,
                server_settings=settings,
            )
        except (*TRANSIENT, asyncpg.PostgresError, ValueError) as error:
            raise UnsuitableServer(unreachable(url, error)) from error
        database = cls(pool, deadline)
        await database.require_version()
        return database

    async def require_version(self) -> None:
        """Refuse a server that is too old.

        Raises:
            UnsuitableServer: says which version was found and which is needed.
        """
        async with self.connection() as connection:
            found = connection.get_server_version()
        if found.major < OLDEST_VERSION:
            msg = f"PostgreSQL {found.major} is too old: Tandem needs {OLDEST_VERSION} or newer."
            raise UnsuitableServer(msg)

    async def require_durability(self) -> None:
        """Refuse a server that could lose a commit in a crash.

        Raises:
            UnsuitableServer: names the settings.
        """
        rows = await self.fetch("durability")
        unsafe = sorted(row["name"] for row in rows if row["setting"] == "off")
        if unsafe:
            msg = (
                f"PostgreSQL could lose acknowledged users in a crash: {', '.join(unsafe)} is off. "
                "Turn it on, or set ALLOW_UNSAFE_DURABILITY=true to go on all the same."
            )
            raise UnsuitableServer(msg)

    @asynccontextmanager
    async def connection(
        self, within: timedelta | None = None
    ) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """Lend a connection for at most the deadline, or for less (`within`).

        Raises:
            Unavailable: PostgreSQL cannot be reached, or did not answer in time. A silent connection
                is given up: asyncpg would wait for the server to confirm a cancellation.
        """
        connection = None
        try:
            async with asyncio.timeout(within.total_seconds() if within else self._deadline):
                connection = await self._pool.acquire()
                yield connection
        except ITEMS_FAULT:
            raise
        except TRANSIENT as error:
            if connection is not None and isinstance(error, TimeoutError):
                connection.terminate()
            # The first line alone: those that follow it may quote a row.
            said = str(error).partition("\n")[0]
            msg = f"PostgreSQL does not answer ({type(error).__name__}: {said})"
            raise Unavailable(msg) from error
        finally:
            if connection is not None:
                await self._release(connection)

    async def fetch(
        self, query: str, *arguments: Any, within: timedelta | None = None
    ) -> list[asyncpg.Record]:
        """The rows of the query of that name in `queries.sql`, in a transaction of its own.

        One that has lost against another transaction is tried again, a few times.

        Raises:
            Unavailable: PostgreSQL cannot be reached, or did not answer in time.
        """
        for _ in range(MOST_TRIES - 1):
            try:
                return await self._fetch_once(query, arguments, within)
            except Unavailable as error:
                if not isinstance(error.__cause__, LOST):
                    raise
        return await self._fetch_once(query, arguments, within)

    async def _fetch_once(
        self, query: str, arguments: tuple[Any, ...], within: timedelta | None
    ) -> list[asyncpg.Record]:
        async with self.connection(within) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(QUERIES[query], *arguments)
            return rows

    @property
    def connections(self) -> dict[str, int]:
        """How many connections are in use, idle, and could still be opened."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return {"used": size - idle, "idle": idle, "unopened": self._pool.get_max_size() - size}

    async def close(self) -> None:
        """Close all connections, by force where the server does not answer."""
        try:
            async with asyncio.timeout(2):
                await self._pool.close()
        except (TimeoutError, *TRANSIENT):
            self._pool.terminate()

    async def _release(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        try:
            await self._pool.release(connection, timeout=1)
        except TRANSIENT:
            connection.terminate()


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Nothing to reset: no query here leaves a trace in its session. Saves a round trip a call."""


def unreachable(url: str, error: BaseException) -> str:
    """A sentence that says which address was tried, without the password, and how to start a server."""
    address = (url.rpartition("@")[2] if "@" in url else url.partition("://")[2]).partition("?")[0]
    # Who cannot read a URL quotes a piece of it, which may be one of the password.
    what = UNREADABLE_URL if isinstance(error, ValueError) else str(error) or type(error).__name__
    return (
        f"PostgreSQL cannot be used at {address} ({what}). Check POSTGRES_URL "
        "and that the server runs; `tandem up` starts one of its own."
    )
