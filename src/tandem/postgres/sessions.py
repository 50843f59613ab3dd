"""The sessions at PostgreSQL: opened before they are needed, and kept as long as they can be used.

asyncpg's own pool opens a session only when a caller waits for it, and tries the same place again when that
fails. With all connection slots of the server taken by others, it raised errors although it held idle
sessions. Here one task opens missing sessions in the background. A caller gets one that is open, or waits for
one to come back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from tandem.kernel import Backoff
from tandem.postgres.faults import DRIVER_ERRORS
from tandem.postgres.hosts import Hosts

Session = asyncpg.Connection

# Short: a server that is back should be used at once, and one attempt a second costs nearly nothing.
_BACKOFF = Backoff(first=timedelta(milliseconds=50), longest=timedelta(seconds=1))
_SECONDS_TO_OPEN = 5
_SECONDS_TO_CLOSE = 2


class Sessions:
    """Keeps up to `size` sessions open and lends them. All methods belong to one event loop's thread."""

    def __init__(self, url: str, settings: Mapping[str, str], patience: timedelta, size: int) -> None:
        """No session is open yet. `patience` is the longest that a call may take."""
        self.size = size
        #: Looks at a new session before it is lent; raises one of `DRIVER_ERRORS` if it cannot be used.
        self.inspect: Callable[[Session], Awaitable[None]] | None = None
        #: Counts servers: it grows when another one has taken over.
        self.server = 0
        #: Why the last attempt to open one failed; None after a success.
        self.trouble: BaseException | None = None
        self._hosts = Hosts(url)
        self._settings = dict(settings)
        self._seconds = patience.total_seconds()
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        # Sessions from before the last `end_all`: they are ended when they come back.
        self._useless: set[Session] = set()
        self._waiting: deque[asyncio.Future[Session]] = deque()
        self._missing = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._is_opening = self._is_closing = False

    async def open_first(self) -> None:
        """Open one session now, and the others in the background.

        Raises:
            Exception: what opening it raised; nothing goes on in the background then.
        """
        self._take_in(await self._open())
        self.open_in_background()

    def open_in_background(self) -> None:
        """Open all sessions in the background, whether the server can be reached now or not."""
        self._missing.set()
        self._keeper = asyncio.create_task(self._keep_open(), name="sessions")

    async def lend(self) -> Session:
        """An open session; waits for one that comes back or is opened. Give it back in any case.

        Raises:
            Exception: there is none at all, and the last attempt to open one raised this.
        """
        while self._idle:
            session = self._idle.pop()
            if not session.is_closed():
                self._lent.add(session)
                return session
        if not self._lent and self.trouble is not None:
            # Without the traceback of earlier callers.
            raise self.trouble.with_traceback(None)
        self._missing.set()
        future: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.give_back(future.result())
            raise

    def give_back(self, session: Session, *, useless: bool = False) -> None:
        """Take a lent session back, or end it where it cannot be used again."""
        self._lent.discard(session)
        if useless or session in self._useless or session.is_closed():
            self._end(session)
        else:
            self._take_in(session)

    def end_all(self) -> None:
        """End every session. Those that are lent end when they come back."""
        self._useless |= self._lent
        while self._idle:
            self._end(self._idle.pop())

    def another_server(self) -> None:
        """Note that another server answers, or the same one after a restart: it may have other data."""
        self.server += 1
        self.end_all()

    async def close(self) -> None:
        """End all sessions, by force where the server does not answer. None may be lent afterwards."""
        if self._keeper is not None:
            self._is_closing = True
            if self._is_opening:
                # An attempt that is cut off leaves an error behind that nobody looks at, and asyncio logs it.
                await asyncio.wait([self._keeper], timeout=_SECONDS_TO_CLOSE)
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        closing = [session.close(timeout=_SECONDS_TO_CLOSE) for session in self._idle]
        await asyncio.gather(*closing, return_exceptions=True)
        for session in (*self._idle, *self._lent):
            session.terminate()
        self._idle.clear()

    @property
    def used(self) -> int:
        """How many are lent."""
        return len(self._lent)

    @property
    def idle(self) -> int:
        """How many are open and not lent."""
        return len(self._idle)

    def _end(self, session: Session) -> None:
        self._useless.discard(session)
        session.terminate()
        self._missing.set()

    def _take_in(self, session: Session) -> None:
        """Hand an open session to the caller that has waited for longest, or keep it."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                self._lent.add(session)
                future.set_result(session)
                return
        self._idle.append(session)

    async def _open(self) -> Session:
        self._is_opening = True
        try:
            session = await self._hosts.open(
                min(self._seconds, _SECONDS_TO_OPEN),
                command_timeout=self._seconds,
                max_cached_statement_lifetime=0,
                server_settings=self._settings,
            )
        finally:
            self._is_opening = False
        try:
            if self.inspect is not None:
                await self.inspect(session)
        except BaseException:
            session.terminate()
            raise
        session.add_termination_listener(self._on_end)
        return session

    async def _keep_open(self) -> None:
        failures = 0
        while not self._is_closing:
            await self._missing.wait()
            self._idle = [session for session in self._idle if not session.is_closed()]
            if len(self._idle) + len(self._lent) >= self.size:
                self._missing.clear()
                continue
            try:
                session = await self._open()
            except DRIVER_ERRORS as error:
                failures += 1
                self._note_trouble(error)
                await asyncio.sleep(_BACKOFF.seconds(failures))
            else:
                failures, self.trouble = 0, None
                self._take_in(session)

    def _note_trouble(self, error: BaseException) -> None:
        self.trouble = error
        if self._idle or self._lent:
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    def _on_end(self, _session: Any) -> None:
        """Called when the server has closed a session: open another before one is needed."""
        self._missing.set()
