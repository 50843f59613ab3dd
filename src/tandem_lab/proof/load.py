"""The load of a proof: users with idempotency keys, each sent again until it is acknowledged."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import aiohttp
import msgspec

from tandem.kernel import Backoff
from tandem.random_users import random_user
from tandem.user import UserInput, normalize
from tandem_lab.errors import LabError
from tandem_lab.proof.ledger import Acknowledged, Ledger, content_hash
from tandem_stack.waiting import together

# After this time the same request is sent again, perhaps while the first is still being carried out.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=5)
SEND_AGAIN = Backoff(longest=timedelta(seconds=2))
# While a fault lasts and all of its share of users has been sent, this many more are sent per second.
TRICKLE_PER_SECOND = 10
CREATED = 201
TO_BE_SENT_AGAIN = {408, 429}  # and everything from 500


class CreatedUser(msgspec.Struct, frozen=True):
    """The part of an acknowledgement that must be there. The rest is not read."""

    id: int
    version: int


class Stalled(Exception):
    """No user was acknowledged within the time to wait for one."""


class _SendAgain(Exception):
    """This attempt failed: the reason, and how long the server asked to wait."""

    def __init__(self, why: str, pause_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.pause_seconds = pause_seconds


class Load:
    """Sends the users 0 to `users` - 1 of the run `seed`, as many of them as `allow` has allowed."""

    def __init__(self, url: str, seed: str, users: int, ledger: Ledger, patience_seconds: float) -> None:
        self.url = url
        self.seed = seed
        self.users = users
        self.acknowledged = 0
        #: Why users were sent again, and how often.
        self.sent_again: Counter[str] = Counter()
        self._ledger = ledger
        self._patience_seconds = patience_seconds
        self._started = 0
        self._allowed = 0
        self._opened = asyncio.Event()
        self._progress = asyncio.Event()
        self._last_id = 0

    @property
    def left(self) -> int:
        """How many users have not been sent yet."""
        return self.users - self._started

    def allow(self, more: int) -> None:
        """Allow `more` users to be sent."""
        self._allowed = min(self.users, self._started + more)
        self._opened.set()

    @asynccontextmanager
    async def running(self, connections: int) -> AsyncIterator[None]:
        """Send over this many connections while the block runs. The block is cancelled if sending fails.

        Raises:
            LabError: the system refuses a user, or the ledger cannot be written.
        """
        connector = aiohttp.TCPConnector(limit=connections)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=REQUEST_TIMEOUT) as session,
            together() as group,
        ):
            senders = [group.create_task(self._send_users(session)) for _ in range(connections)]
            yield
            for sender in senders:
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
            async with asyncio.timeout(self._patience_seconds):
                await self._progress.wait()
        except TimeoutError:
            raise Stalled from None
        return self._last_id

    async def trickle(self) -> None:
        """Allow a few users each second, so that there are always some on their way."""
        while True:
            await asyncio.sleep(1 / TRICKLE_PER_SECOND)
            if self._started == self._allowed:
                self.allow(1)

    async def _send_users(self, session: aiohttp.ClientSession) -> None:
        while (index := await self._next()) is not None:
            await self._send_until_acknowledged(session, index)

    async def _next(self) -> int | None:
        """The next user's number, once it is allowed; None when all have been sent."""
        while self._started == self._allowed < self.users:
            self._opened.clear()
            await self._opened.wait()
        if self._started == self.users:
            return None
        self._started += 1
        return self._started - 1

    async def _send_until_acknowledged(self, session: aiohttp.ClientSession, index: int) -> None:
        body = msgspec.json.encode(random_user(self.seed, index))
        content = content_hash(normalize(msgspec.json.decode(body, type=UserInput))).hex()
        key = f"{self.seed}-{index}"
        for tries in itertools.count(1):
            try:
                user_id = await self._send(session, key, body)
                break
            except _SendAgain as error:
                self.sent_again[str(error)] += 1
                await asyncio.sleep(max(error.pause_seconds, SEND_AGAIN.seconds(tries)))
        self._ledger.write(Acknowledged(key, user_id, self.seed, content))
        self.acknowledged += 1
        self._last_id = user_id
        self._progress.set()

    async def _send(self, session: aiohttp.ClientSession, key: str, body: bytes) -> int:
        """Send a user once; returns its id."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        address = f"{self.url}/api/v1/user-command"
        try:
            params = {"seed": self.seed}
            async with session.post(address, params=params, data=body, headers=headers) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _SendAgain(type(error).__name__) from None
        if response.status == CREATED:
            with suppress(msgspec.DecodeError):
                return msgspec.json.decode(answer, type=CreatedUser).id
        if response.status in TO_BE_SENT_AGAIN or response.status >= 500:
            raise _SendAgain(str(response.status), _retry_after(response))
        said = answer[:300].decode(errors="replace")
        msg = f"{address} answered {response.status} to a user that it has to take: {said}"
        raise LabError(msg)


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """The seconds that the server asked to wait, but no more than the longest pause."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), SEND_AGAIN.longest.total_seconds()) if asked.isdecimal() else 0.0
