"""Follows the feed: who has read all of it waits here for more, and one poll serves all who wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import msgspec

from tandem.errors import TandemError
from tandem.feed.cursor import Cursor
from tandem.feed.logs import FeedEvent
from tandem.feed.pages import Page, Wanted
from tandem.feed.reading import Feed
from tandem.http.requests import OPENING
from tandem.kernel import Overloaded
from tandem.kernel.waiting import happens

SECONDS_BETWEEN_POLLS = 0.2
# Load balancers cut off what is silent for 12 s.
SECONDS_BETWEEN_HEARTBEATS = 5.0
# Of an instance: streams, and requests that wait for events.
MOST_FOLLOWERS = 100
# A stream ends after so long, and its client opens another: by then its access token may have expired.
LONGEST_STREAM = timedelta(minutes=5)
EVENTS_AT_A_TIME = 100
# Pages that are read at a time: each uses a session to PostgreSQL, and may hold a megabyte of every log.
READS_AT_A_TIME = 2
# Who gets no turn to read by then is told to come back.
LONGEST_WAIT = timedelta(seconds=5)

_encode = msgspec.json.Encoder().encode


class FeedFollowing:
    """The feed for those who follow it through this instance."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reading = asyncio.Semaphore(READS_AT_A_TIME)
        self._somebody_waits = asyncio.Event()
        self._moved = asyncio.Event()
        self._head: Cursor | None = None
        #: How many follow just now.
        self.followers = 0
        self._waiting = 0
        #: How often PostgreSQL was asked whether there is more.
        self.polls = 0

    async def now(self) -> Cursor:
        """See `Feed`; so that few read at a time.

        Raises:
            Overloaded: others read for too long.
        """
        async with self._turn():
            return await self._feed.now()

    async def page(self, after: Cursor, wanted: Wanted, limit: int) -> Page:
        """See `Feed`; so that few read at a time.

        Raises:
            Overloaded: others read for too long.
        """
        async with self._turn():
            return await self._feed.page(after, wanted, limit)

    async def page_within(self, after: Cursor, wanted: Wanted, limit: int, seconds: float) -> Page:
        """A page that is empty only if nothing has come within this time.

        Raises:
            Overloaded: too many follow through this instance.
            As `Feed.page`.
        """
        deadline = time.monotonic() + seconds
        with self._following():
            while True:
                head = self._head
                page = await self.page(after, wanted, limit)
                after = page.cursor
                left = deadline - time.monotonic()
                if page.events or left <= 0:
                    return page
                if page.is_end and not await self._until_moved(head, left):
                    return page

    async def stream(self, first: Page, wanted: Wanted) -> AsyncIterator[bytes]:
        """The feed from this page on as server-sent events; each id is a cursor.

        Where it cannot go on, it ends: who comes back with the last id is told why.
        """
        # A failure ends the stream; the client comes back, and its next request is answered with the problem.
        with suppress(TandemError), self._following():
            yield OPENING + _frames(first)
            page, head, ends_at = first, None, time.monotonic() + LONGEST_STREAM.total_seconds()
            while (left := ends_at - time.monotonic()) > 0:
                if page.is_end and not await self._until_moved(head, min(left, SECONDS_BETWEEN_HEARTBEATS)):
                    yield b":\n\n"
                    continue
                head = self._head
                before, page = page, await self.page(page.cursor, wanted, EVENTS_AT_A_TIME)
                if page.cursor != before.cursor:
                    yield _frames(page)

    def require_room(self) -> None:
        """Refuse one more follower where there are too many.

        Raises:
            Overloaded: there are.
        """
        if self.followers >= MOST_FOLLOWERS:
            msg = f"feed: {self.followers} follow it through this instance already."
            raise Overloaded(msg)

    async def run_once(self) -> float:
        """One round: wait for somebody who waits, and look whether there is more.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        await self._somebody_waits.wait()
        if not self._waiting:
            self._somebody_waits.clear()
            return 0
        self.polls += 1
        head = await self._feed.now()
        if head != self._head:
            self._head = head
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
        return SECONDS_BETWEEN_POLLS

    async def _until_moved(self, since: Cursor | None, seconds: float) -> bool:
        """Whether the feed has moved on within this time since its end was there."""
        if self._head != since:
            return True
        self._waiting += 1
        self._somebody_waits.set()
        try:
            return await happens(self._moved, seconds)
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LONGEST_WAIT.total_seconds()):
                await self._reading.acquire()
        except TimeoutError:
            msg = "feed: others have been reading it for too long."
            raise Overloaded(msg) from None
        try:
            yield
        finally:
            self._reading.release()

    @contextmanager
    def _following(self) -> Iterator[None]:
        self.require_room()
        self.followers += 1
        try:
            yield
        finally:
            self.followers -= 1


def lines_of(page: Page) -> bytes:
    """The events as lines of JSON."""
    return b"".join(_encode(event) + b"\n" for event in page.events)


def _frames(page: Page) -> bytes:
    """The events as server-sent events; at the end an id alone, which moves the client's place on."""
    return b"".join(map(_frame, page.events)) + f"id: {page.cursor}\n\n".encode()


def _frame(event: FeedEvent) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (event.cursor.encode(), _encode(event))
