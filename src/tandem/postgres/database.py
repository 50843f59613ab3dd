"""PostgreSQL as every room uses it: open sessions, a deadline on every call, errors of one kind."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Self, TypeVar

import asyncpg

from tandem.config.addresses import unusable_at
from tandem.kernel import Unavailable, UnsuitableServer
from tandem.postgres.faults import (
    DRIVER_ERRORS,
    LOST,
    all_sessions_end,
    is_items_fault,
    is_refusal,
    session_stays,
    state_of,
)
from tandem.postgres.queries import Query, load_queries
from tandem.postgres.sessions import Session, Sessions
from tandem.postgres.standby import Standby

logger = logging.getLogger(__name__)

QUERIES = load_queries(__package__ or "", "postgres.sql")
R = TypeVar("R")

OLDEST_VERSION = 18
MOST_TRIES = 4

# Per instance. Two batches of creates, a write-back, recovery and the lease find one each, because everything
# that clients ask for shares the other three (`Database.sharing`).
CONNECTIONS = 8
READING_CONNECTIONS = 3
_PING = timedelta(seconds=0.5)

# Each statement is planned once and its plan kept: planning costs as much as a batch of one. A plan made in
# the first minute must serve for millions of rows, so it may not scan a whole table.
SESSION_SETTINGS = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    "timezone": "UTC",
}


class Database:
    """The sessions of one instance. Each `fetch` of a query is one transaction with a deadline."""

    def __init__(
        self, sessions: Sessions, deadline: timedelta, share: asyncio.Semaphore | None = None
    ) -> None:
        """Use `sessions`, of which `share` may bound how many are used at a time."""
        self._sessions = sessions
        self._deadline = deadline
        self._share = share
        #: Whether each commit is on a second host, where that is required.
        self.standby = Standby()
        # The last refusal that was logged: the same one is not logged again and again.
        self._logged: tuple[str, str] | None = None

    @classmethod
    async def connect(
        cls, url: str, *, name: str, deadline: timedelta, connections: int = CONNECTIONS
    ) -> Self:
        """Open a first session; the others follow in the background.

        Raises:
            UnsuitableServer: the server cannot be reached, or is too old; says which address was tried.
        """
        sessions = _sessions_of(url, name, deadline, connections)
        try:
            await sessions.open_first()
        except (*DRIVER_ERRORS, ValueError) as error:
            raise UnsuitableServer(unreachable(url, error)) from error
        database = cls(sessions, deadline)
        try:
            await database.require_version()
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    def connect_later(cls, url: str, *, name: str, deadline: timedelta, connections: int) -> Self:
        """Open all sessions in the background, for a server that may be away."""
        sessions = _sessions_of(url, name, deadline, connections)
        sessions.open_in_background()
        return cls(sessions, deadline)

    async def answers(self) -> bool:
        """Whether PostgreSQL answers, and soon: half a second is all it gets."""
        try:
            await self.fetch(QUERIES["ping"], within=_PING)
        except Unavailable:
            return False
        return True

    async def inspect_with(self, inspect: Callable[[Session], Awaitable[None]]) -> None:
        """From now on, lend only sessions that `inspect` has let pass. Those that are open are ended.

        Raises:
            Unavailable: no session that passes could be opened.
        """
        self._sessions.inspect = inspect
        self._sessions.end_all()
        async with self.connection():
            pass  # one has passed

    def sharing(self, connections: int) -> "Database":
        """The same sessions, for work that never uses more than so many of them at a time."""
        shared = Database(self._sessions, self._deadline, asyncio.Semaphore(connections))
        shared.standby = self.standby
        return shared

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
        rows = await self.fetch(QUERIES["durability"])
        unsafe = sorted(row["name"] for row in rows if row["setting"] == "off")
        if unsafe:
            msg = (
                f"PostgreSQL could lose acknowledged users in a crash: {', '.join(unsafe)} is off. "
                "Turn it on, or set ALLOW_UNSAFE_DURABILITY=true to go on all the same."
            )
            raise UnsuitableServer(msg)

    async def require_standby(self) -> None:
        """From now on, let no command be committed on this host alone.

        Raises:
            UnsuitableServer: there is no synchronous standby; says what is missing.
            Unavailable: PostgreSQL does not answer.
        """
        self.standby.is_required = True
        await self.look_at_standby()
        if self.standby.trouble:
            msg = f"{self.standby.trouble}. REQUIRE_SYNCHRONOUS_STANDBY=false would go on without one."
            raise UnsuitableServer(msg)

    async def look_at_standby(self) -> None:
        """Learn whether there is a synchronous standby, if it is required.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if self.standby.is_required:
            async with self.connection() as session:
                await self.standby.look(session)

    @asynccontextmanager
    async def connection(
        self, within: timedelta | None = None, server: int | None = None
    ) -> AsyncIterator[Session]:
        """Lend a connection for at most the deadline, or for less (`within`).

        If `server` is given, only a connection to the server of that number.

        Raises:
            Unavailable: PostgreSQL cannot be reached, did not answer in time, or is in a state in which it
                refuses all calls. Its `__cause__` is what the driver raised.
            PostgresError: one item's own fault.
        """
        session = None
        useless = True
        seconds = min(self._deadline, within or self._deadline).total_seconds()
        try:
            async with AsyncExitStack() as share, asyncio.timeout(seconds):
                if self._share is not None:
                    await share.enter_async_context(self._share)
                session = await self._sessions.lend()
                if server is not None and server != self.server:
                    useless = False
                    msg = "Another PostgreSQL has taken over meanwhile"
                    raise Unavailable(msg)
                yield session
            useless = session.is_in_transaction()
        except DRIVER_ERRORS as error:
            useless = not session_stays(error)
            if all_sessions_end(error):
                self._sessions.end_all()
            if session is not None and is_items_fault(error):
                raise
            msg = f"{state_of(error)} ({_said(error)})"
            raise Unavailable(msg) from error
        finally:
            # A call that broke off otherwise, as by a cancellation, has left it in the middle of an answer.
            if session is not None:
                self._sessions.give_back(session, useless=useless)

    async def fetch(
        self, query: Query, *arguments: Any, within: timedelta | None = None, server: int | None = None
    ) -> list[asyncpg.Record]:
        """The rows of the query, in a transaction of its own.

        If it has lost against another transaction, it is tried again a few times.

        Raises:
            Unavailable: as `connection` does.
        """

        async def ask(session: Session) -> list[asyncpg.Record]:
            rows: list[asyncpg.Record] = await session.fetch(query.sql, *arguments)
            return rows

        return await self._tried(query.name, ask, within, server)

    async def transact(
        self,
        name: str,
        work: Callable[[Session], Awaitable[R]],
        *,
        within: timedelta | None = None,
        server: int | None = None,
    ) -> R:
        """Do `work`, which is more than one query, in one transaction; `name` is for the log.

        If it has lost against another transaction, it is done again a few times.

        Raises:
            Unavailable: as `connection` does; whether it was committed may be unknown.
        """

        async def in_transaction(session: Session) -> R:
            async with session.transaction():
                return await work(session)

        return await self._tried(name, in_transaction, within, server)

    async def _tried(
        self, name: str, work: Callable[[Session], Awaitable[R]], within: timedelta | None, server: int | None
    ) -> R:
        tries = 0
        while True:
            tries += 1
            try:
                async with self.connection(within, server) as session:
                    return await work(session)
            except Unavailable as error:
                self._log_refusal(name, error)
                if tries == MOST_TRIES or not isinstance(error.__cause__, LOST):
                    raise

    def _log_refusal(self, name: str, error: Unavailable) -> None:
        cause = error.__cause__
        if is_refusal(cause) and self._logged != (found := (name, type(cause).__name__)):
            self._logged = found
            logger.warning("%s: %s", name, error)

    @property
    def connections(self) -> dict[str, int]:
        """How many connections are in use, idle, and could still be opened."""
        used, idle = self._sessions.used, self._sessions.idle
        return {"used": used, "idle": idle, "unopened": max(0, self._sessions.size - used - idle)}

    async def close(self) -> None:
        """Close all connections, by force where the server does not answer."""
        await self._sessions.close()

    @property
    def server(self) -> int:
        """Which server this is, counted from 0: what one has said may not hold at the next one."""
        return self._sessions.server

    def end_sessions(self) -> None:
        """End all sessions; those in use end when they are given back. Others are opened."""
        self._sessions.end_all()

    def another_server(self) -> None:
        """Note that another server has taken over, and end the sessions to the one before."""
        self._sessions.another_server()


def _sessions_of(url: str, name: str, deadline: timedelta, connections: int) -> Sessions:
    milliseconds = int(deadline.total_seconds() * 1000)
    settings = SESSION_SETTINGS | {
        "application_name": f"tandem {name}",
        "statement_timeout": str(milliseconds),
        "idle_in_transaction_session_timeout": str(2 * milliseconds),
    }
    return Sessions(url, settings, deadline, connections)


def _said(error: BaseException) -> str:
    """The error's class and its first line alone: those that follow it may quote a row."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def unreachable(url: str, error: BaseException) -> str:
    """A sentence that says which address was tried, without the password, and how to start a server."""
    # That a certificate is not trusted is a ValueError, too.
    unreadable = isinstance(error, ValueError) and not isinstance(error, OSError)
    why = None if unreadable else str(error) or type(error).__name__
    return unusable_at(url, "PostgreSQL", "POSTGRES_URL", why)
