"""The load of a proof: commands with idempotency keys, each sent again until it is answered for good."""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import msgspec

from tandem.ids import cell_of
from tandem.kernel import Backoff
from tandem_lab.errors import LabError
from tandem_lab.proof.commands import Answer, Command, Script, Target
from tandem_lab.proof.ledger import Ledger
from tandem_lab.proof.plan import Plan
from tandem_stack.waiting import together

# After this time the same request is sent again, perhaps while the first is still being carried out.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=5)
SEND_AGAIN = Backoff(longest=timedelta(seconds=2))
# While a fault lasts and all of its share of users has been sent, this many more are sent per second.
TRICKLE_PER_SECOND = 10
MOST_BESIDE = 500  # of these may be without an answer at the same time
# Everything from 500, and: too slow; of another cell, as the balancer does not know yet; too many.
TO_BE_SENT_AGAIN = {408, 421, 429}


class Stalled(Exception):
    """No user was acknowledged within the time to wait for one."""


class _SendAgain(Exception):
    """This attempt failed: the reason, and how long the server asked to wait."""

    def __init__(self, why: str, pause_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.pause_seconds = pause_seconds


class Silence:
    """The longest time in which each cell acknowledged nothing, since `begin`; in seconds of this clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Forget all that was."""
        self._began = self._clock()
        self._last: dict[int, float] = {}
        self._longest: defaultdict[int, float] = defaultdict(float)

    def end(self, id_: int) -> None:
        """A command about this id was acknowledged."""
        cell, now = cell_of(id_), self._clock()
        self._longest[cell] = max(self._longest[cell], now - self.last(cell))
        self._last[cell] = now

    def last(self, cell: int) -> float:
        """When this cell acknowledged the last one."""
        return self._last.get(cell, self._began)

    def longest(self, cell: int) -> float:
        """That of this cell, until now."""
        return max(self._longest[cell], self._clock() - self.last(cell))


class Load:
    """Creates the users 0 to `users` - 1 of a plan, as many as `allow` has allowed, and changes some of them.

    After a user, its connection sends the changes that are due then, one after the other. They are about
    users that other connections change at the same time. A user counts as acknowledged once these are
    answered, too. What exactly is sent, and whether it is about users at all, the script says.
    """

    def __init__(
        self,
        url: str,
        plan: Plan,
        ledger: Ledger,
        script: Script,
        timeout: aiohttp.ClientTimeout = REQUEST_TIMEOUT,
    ) -> None:
        self.url = url
        self.users = plan.users
        self.acknowledged = 0
        #: Why commands were sent again, and how often.
        self.sent_again: Counter[str] = Counter()
        #: How many commands were rejected for good, by the status of the answer.
        self.rejected: Counter[str] = Counter()
        self.silence = Silence()
        self._plan = plan
        self._ledger = ledger
        self._script = script
        self._timeout = timeout
        self._started = 0
        self._allowed = 0
        self._reserved = 0
        self._opened = asyncio.Event()
        self._progress = asyncio.Event()
        self._last_id = 0
        self._start_beside: Callable[[], asyncio.Task[None]]
        self._beside: set[asyncio.Task[None]] = set()

    @property
    def left(self) -> int:
        """How many users have not been sent yet."""
        return self.users - self._started

    def allow(self, more: int) -> None:
        """Allow `more` users to be sent."""
        self._allowed = min(self.users, self._started + more)
        self._opened.set()

    def reserve(self, users: int) -> None:
        """Keep so many of the last users for later: `trickle` leaves them alone."""
        self._reserved = users

    @asynccontextmanager
    async def running(self, connections: int) -> AsyncIterator[None]:
        """Send over this many connections while the block runs. The block is cancelled if sending fails.

        Raises:
            LabError: the system refuses a command, or the ledger cannot be written.
        """
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=self._timeout) as session,
            together() as group,
        ):
            self._start_beside = lambda: group.create_task(self._send_user(session, self._take()))
            for command in self._script.before():
                await self._carry_out(session, command)
            senders = [group.create_task(self._send_users(session)) for _ in range(connections)]
            yield
            for sender in (*senders, *self._beside):
                sender.cancel()

    async def until(self, acknowledged: int) -> None:
        """Wait until this many users are acknowledged.

        Raises:
            Stalled: there was no progress.
        """
        while self.acknowledged < acknowledged:
            await self.next_acknowledged()

    async def next_acknowledged(self) -> int:
        """Wait for the next acknowledgement; returns the user's id.

        Raises:
            Stalled: there is none.
        """
        self._progress.clear()
        try:
            async with asyncio.timeout(self._plan.patience_seconds):
                await self._progress.wait()
        except TimeoutError:
            raise Stalled from None
        return self._last_id

    async def trickle(self, keep: int = 0) -> None:
        """Send a few users each second, so that some are on their way; never those reserved, nor `keep` more.

        Over connections of their own: all others may be waiting for what is down.
        """
        while True:
            await asyncio.sleep(1 / TRICKLE_PER_SECOND)
            if self.left > self._reserved + keep and len(self._beside) < MOST_BESIDE:
                task = self._start_beside()
                self._beside.add(task)
                task.add_done_callback(self._beside.discard)

    async def _send_users(self, session: aiohttp.ClientSession) -> None:
        while (index := await self._next()) is not None:
            await self._send_user(session, index)

    async def _send_user(self, session: aiohttp.ClientSession, index: int) -> None:
        user = await self._carry_out(session, self._script.creation(index))
        for command in self._script.changes(index, user):
            await self._carry_out(session, command)
        self.acknowledged += 1
        self._last_id = user.id
        self._progress.set()

    async def _next(self) -> int | None:
        """The next user's number, once it is allowed; None when all have been sent."""
        while self._started < self.users and self._started >= self._allowed:
            self._opened.clear()
            await self._opened.wait()
        return self._take() if self.left else None

    def _take(self) -> int:
        self._started += 1
        return self._started - 1

    async def _carry_out(self, session: aiohttp.ClientSession, command: Command) -> Target:
        """Send a command until it is acknowledged or rejected; whom it was about."""
        for tries in itertools.count(1):
            try:
                answer = await self._send(session, command)
                break
            except _SendAgain as error:
                self.sent_again[str(error)] += 1
                await asyncio.sleep(max(error.pause_seconds, SEND_AGAIN.seconds(tries)))
        if answer.is_rejection:
            self.rejected[str(answer.status)] += 1
        if (entry := self._script.entry(command, answer, tries)) is not None:
            self._ledger.write(msgspec.structs.replace(entry, at=round(time.time(), 3)))
        target = self._script.note(command, answer)
        if not answer.is_rejection:
            self.silence.end(target.id)
        return target

    async def _send(self, session: aiohttp.ClientSession, command: Command) -> Answer:
        """Send a command once."""
        method, path, headers = command.request
        address = self.url + path
        try:
            async with session.request(method, address, data=command.body, headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _SendAgain(type(error).__name__) from None
        answer = command.answered_by(response.status, response.headers.get("ETag", ""), body)
        if answer is not None:
            return answer
        if response.status in TO_BE_SENT_AGAIN or response.status >= 500:
            raise _SendAgain(str(response.status), _retry_after(response))
        said = body[:300].decode(errors="replace")
        msg = f"{method} {address} was answered {response.status} and not as it has to be: {said}"
        raise LabError(msg)


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """The seconds that the server asked to wait, but no more than the longest pause."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), SEND_AGAIN.longest.total_seconds()) if asked.isdecimal() else 0.0
