"""How far a proof is: for those who watch it, and for the verdict. Looks into the databases once a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from pymongo.errors import PyMongoError

from tandem.mongodb.client import Collection, collection_of, open_client
from tandem_lab.proof.load import Load
from tandem_lab.proof.plan import Fault
from tandem_lab.proof.stack import Cell, System
from tandem_lab.proof.verdict import FaultReport

TELL_EVERY_SECONDS = 0.2
LOOK_EVERY_SECONDS = 1.0
#: A database that has not answered by then is taken to be away.
ANSWER = timedelta(seconds=2)
# Of a database that answers, counting may take this share of the time at most.
SHARE = 0.3


class Stored(msgspec.Struct):
    """What the databases had of the run when they were last asked. None: they do not answer."""

    in_postgres: int | None = 0
    in_mongodb: int | None = 0
    #: Committed, and not in MongoDB yet: what a worse system would lose now.
    pending: int | None = 0


class Moment(msgspec.Struct, frozen=True):
    """How far a proof is."""

    acknowledged: int
    #: What is going on, in a few words.
    doing: str
    #: The fault that strikes now, and for how many seconds.
    fault: str = ""
    fault_seconds: float = 0.0
    #: The most users that were pending during it, as far as was seen.
    most_pending: int | None = None
    over: Sequence[FaultReport] = ()
    #: The names of those that are still to come.
    to_come: Sequence[str] = ()
    #: None: nobody looks into the databases.
    stored: Stored | None = None


Tell = Callable[[Moment], None]


@dataclass
class Progress:
    """Reports what is going on to `tell`."""

    load: Load
    tell: Tell
    doing: str
    things: str = "users"
    stored: Stored | None = None
    _over: list[FaultReport] = field(default_factory=list)
    _to_come: list[str] = field(default_factory=list)
    _fault: str = ""
    _since: float = 0.0
    _most_pending: int | None = None

    def now(self, doing: str) -> None:
        """This is going on from now on."""
        self.doing = doing
        seconds = time.monotonic() - self._since if self._fault else 0.0
        faults = (self._fault, seconds, self._most_pending, tuple(self._over), tuple(self._to_come))
        self.tell(Moment(self.load.acknowledged, doing, *faults, self.stored))

    def expect(self, faults: Sequence[Fault]) -> None:
        """These are to come, in this order."""
        self._to_come = [fault.name for fault in faults]

    async def watch(self, fault: Fault, strike: Callable[[Fault], Awaitable[FaultReport]]) -> FaultReport:
        """Let a fault happen, and add to what came of it how many users were pending meanwhile."""
        self._to_come.remove(fault.name)
        self._fault, self._since, self._most_pending = fault.name, time.monotonic(), None
        self.now(f"{fault}: waiting until the flow has recovered")
        report = await strike(fault)
        self._over.append(msgspec.structs.replace(report, most_pending=self._most_pending))
        self._fault = ""
        return self._over[-1]

    async def keep_telling(self) -> None:
        """Report it again and again, with the number of the acknowledged."""
        while True:
            self.now(self.doing)
            await asyncio.sleep(TELL_EVERY_SECONDS)

    async def keep_looking(self, system: System, seed: str) -> None:
        """Ask the databases again and again how much of this run they have."""
        stored = self.stored = Stored()

        async def postgres() -> bool:
            asked = (system.questions.of_run, system.questions.pending_of_run)
            stored.in_postgres, stored.pending = await asyncio.gather(
                *(system.count(question, seed) for question in asked)
            )
            if self._fault and stored.pending is not None:
                self._most_pending = max(self._most_pending or 0, stored.pending)
            return stored.pending is not None

        async with AsyncExitStack() as clients:
            opened = [_collection(system, cell) for cell in system.cells]
            collections = [await clients.enter_async_context(each) for each in opened]

            async def mongodb() -> bool:
                found = await asyncio.gather(*(_documents(each, seed) for each in collections))
                numbers = [number for number in found if number is not None]
                stored.in_mongodb = sum(numbers) if len(numbers) == len(found) else None
                return stored.in_mongodb is not None

            await asyncio.gather(_again_and_again(postgres), _again_and_again(mongodb))


async def _again_and_again(look: Callable[[], Awaitable[bool]]) -> None:
    while True:
        began = time.monotonic()
        answers = await look()
        spent = time.monotonic() - began
        await asyncio.sleep(max(LOOK_EVERY_SECONDS, spent / SHARE if answers else 0.0))


@asynccontextmanager
async def _collection(system: System, cell: Cell) -> AsyncIterator[Collection]:
    name = await system.live_collection(cell)
    async with open_client(cell.mongodb_url, name="prove", deadline=ANSWER) as client:
        yield collection_of(client, name)


async def _documents(collection: Collection, seed: str) -> int | None:
    """How many documents of the run there are, with those of deleted users; None: MongoDB does not answer."""
    try:
        return await collection.count_documents({"seed": seed})
    except PyMongoError:
        return None
