"""Judges a peer: reads both of its stores by its adapter, and compares them with what was sent."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import Any

import msgspec

from tandem.random_users import random_user
from tandem_lab.errors import PeerFailed
from tandem_lab.peers.protocol import Json, Peer
from tandem_lab.proof.peers import PeerCounts, Wrong

BATCH = 500  # addresses in one question to a store
LOOK_EVERY_SECONDS = 0.2
SETTLE_SECONDS = 2.0  # what comes twice may come the second time when all is there
#: What is compared in both stores. Dates are not: each program has its own way to write them.
FIELDS = (
    *("email", "gender", "name.title", "name.first", "name.last", "phone", "cell", "nat", "picture.large"),
    *("location.street.number", "location.street.name", "location.city", "location.state"),
    *("location.country", "location.postcode", "login.uuid", "login.username"),
)
#: A number may be stored as text, and a UUID as one; these are compared as text.
AS_TEXT = {"location.street.number", "location.postcode", "login.uuid"}


class Sent(msgspec.Struct, frozen=True):
    """The users of a run: number `index` of `seed`, at an address that nobody else has."""

    seed: str

    def key(self, index: int) -> str:
        """Its idempotency key."""
        return f"{self.seed}-{index}"

    def email(self, index: int) -> str:
        """Its address."""
        return f"{self.key(index)}@example.com"

    def user(self, index: int) -> Json:
        """What is sent: a random user but for the address."""
        user: Json = msgspec.to_builtins(random_user(self.seed, index))
        return user | {"email": self.email(index)}


class Stores:
    """Both stores of a peer, read again and again where they do not answer."""

    def __init__(self, peer: Peer, sent: Sent, patience_seconds: float) -> None:
        self._peer = peer
        self._sent = sent
        self._patience_seconds = patience_seconds

    async def check(self) -> None:
        """Ask all that will be asked, once, so that an adapter's mistake shows at once."""
        await self._peer.first([self._sent.email(0)])
        await self._peer.second([self._sent.email(0)])
        await self._peer.done()

    async def read(self, store: str, indexes: Sequence[int]) -> dict[int, list[Json]]:
        """The users that the store `first` or `second` has of these.

        Raises:
            PeerFailed: it does not answer for longer than the patience.
        """
        numbers = {self._sent.email(index): index for index in indexes}
        found: defaultdict[int, list[Json]] = defaultdict(list)
        for begin in range(0, len(numbers), BATCH):
            for user in await self._ask(store, list(numbers)[begin : begin + BATCH]):
                if user.get("email") in numbers:
                    found[numbers[user["email"]]].append(user)
        return found

    async def until_all(self, indexes: Sequence[int], late_seconds: float) -> tuple[float | None, set[int]]:
        """Wait until both stores have all of these, or get no more of them.

        Returns the seconds, None if some are missing; and those that the second one had not after that time.
        """
        missing = {store: set(indexes) for store in ("first", "second")}
        overdue: set[int] | None = None
        began = moved = time.monotonic()
        while any(missing.values()):
            for store, left in missing.items():
                found = await self.read(store, sorted(left))
                left.difference_update(found)
                moved = time.monotonic() if found else moved
            if overdue is None and time.monotonic() - began > late_seconds:
                overdue = set(missing["second"])
            if time.monotonic() - moved > self._patience_seconds:
                return None, overdue or set()
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        return round(moved - began, 1), overdue or set()

    async def settle(self) -> None:
        """Wait until no more users come into the second store, for as long as the patience."""
        began = since = time.monotonic()
        last = -1
        while time.monotonic() - since < SETTLE_SECONDS and since - began < self._patience_seconds:
            done = await self._ask("done")
            if done != last:
                last, since = done, time.monotonic()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _ask(self, call: str, *arguments: Any) -> Any:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return await getattr(self._peer, call)(*arguments)
            except Exception as error:
                if time.monotonic() > deadline:
                    kind = type(error).__name__
                    msg = f"`{call}` of the adapter does not answer any more: {kind}: {error}"
                    raise PeerFailed(msg) from error
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def judge(
    stores: Stores, sent: Sent, started: int, tries: dict[int, int], overdue: Set[int]
) -> PeerCounts:
    """Count what became of the users 0 to `started` - 1. `tries`: how often each acknowledged one was sent.

    Raises:
        PeerFailed: a store cannot be read.
    """
    counts = PeerCounts(acknowledged=len(tries))
    for begin in range(0, started, BATCH):
        indexes = range(begin, min(begin + BATCH, started))
        first, second = await stores.read("first", indexes), await stores.read("second", indexes)
        for index in indexes:
            found = {"first": first.get(index, []), "second": second.get(index, [])}
            counts.in_first += bool(found["first"])
            counts.in_second += bool(found["second"])
            if index in tries:
                _judge_presence(counts, sent.email(index), found, late=index in overdue)
            if max(map(len, found.values())) > 1:
                times = {store: len(users) for store, users in found.items()}
                counts.fail(Wrong.DOUBLED, f"{sent.email(index)}: {times}")
                counts.doubled_sent_again += tries.get(index) != 1
            if difference := next(_differences(sent.user(index), found), None):
                counts.fail(Wrong.DIFFERING, f"{sent.email(index)}: {difference}")
    return counts


def _judge_presence(counts: PeerCounts, email: str, found: dict[str, list[Json]], *, late: bool) -> None:
    missing = [store for store, users in found.items() if not users]
    if missing:
        counts.fail(Wrong.LOST, f"{email}: not in the {' and the '.join(missing)} store")
        counts.never_arrived += missing == ["second"]
    elif late:
        counts.fail(Wrong.LATE, email)


def _differences(sent: Json, found: dict[str, list[Json]]) -> Iterator[str]:
    for store, users in found.items():
        for user in users:
            for field in FIELDS:
                wanted, has = _at(sent, field), _at(user, field)
                if (str(wanted) != str(has)) if field in AS_TEXT else (wanted != has):
                    yield f"{field} in the {store} store is {has!r} and was sent as {wanted!r}"


def _at(user: Any, field: str) -> Any:
    """The value of a field such as `name.first`; None if there is none."""
    for name in field.split("."):
        user = user.get(name) if isinstance(user, dict) else None
    return user
