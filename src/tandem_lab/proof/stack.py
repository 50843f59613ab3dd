"""The system under proof: its addresses, and its processes if `tandem up` has started them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from pymongo.errors import PyMongoError

from tandem.aggregates import Aggregate
from tandem.ids import cell_of
from tandem.kernel import UnsuitableServer
from tandem.mongodb.client import collection_of, open_client
from tandem.mongodb.generations import Generation
from tandem.user_query.database import COLLECTION
from tandem_lab.errors import LabError
from tandem_lab.hosts import Hosts
from tandem_lab.strikes import Parts
from tandem_stack.status import Status

KIND = "user"
ANSWER_SECONDS = 5.0  # how long one answer of a database may take


class Questions(NamedTuple):
    """What PostgreSQL is asked about the users of a proof, or about its aggregates of a kind."""

    run_is_known: str
    #: Whether MongoDB has acknowledged some version of this one, which may have been deleted since.
    is_synchronized: str
    pending_of_run: str
    pending_of_instance: str


ABOUT_USERS = Questions(
    "SELECT EXISTS (SELECT FROM lab_run WHERE seed = $1)",
    "SELECT EXISTS (SELECT FROM lab_synchronized WHERE user_id = $1)",
    "SELECT count(*) FROM lab_pending WHERE seed = $1",
    "SELECT count(*) FROM lab_pending WHERE held_by = $1",
)
# Reactions count as pending. A run has users, too.
ABOUT_A_KIND = Questions(
    "SELECT EXISTS (SELECT FROM lab_run WHERE seed = $1)"
    " OR EXISTS (SELECT FROM lab_{kind}_run WHERE seed = $1)",
    "SELECT EXISTS (SELECT FROM lab_{kind}_event WHERE id = $1 AND event_type = 'SYNCRONIZED')",
    "SELECT (SELECT count(*) FROM lab_{kind}_pending WHERE seed = $1)"
    " + (SELECT count(*) FROM lab_{kind}_reaction)",
    "SELECT (SELECT count(*) FROM lab_pending WHERE held_by = $1)"
    " + (SELECT count(*) FROM lab_{kind}_pending WHERE held_by = $1)"
    " + (SELECT count(*) FROM lab_{kind}_reaction WHERE held_by = $1)",
)


@dataclass(frozen=True)
class Cell:
    """A PostgreSQL and the MongoDB beside it. `number` is None in a system without cells, which has one."""

    postgres_url: str
    mongodb_url: str
    number: int | None = None

    def has(self, id_: int) -> bool:
        """Whether an id is one of this cell's."""
        return self.number in {None, cell_of(id_)}

    @asynccontextmanager
    async def postgres(self, timeout_seconds: float = ANSWER_SECONDS) -> AsyncIterator[asyncpg.Connection]:
        """A new connection to PostgreSQL, on which each answer may take this long."""
        seconds = timeout_seconds
        connection = await asyncpg.connect(self.postgres_url, timeout=seconds, command_timeout=seconds)
        try:
            yield connection
        finally:
            await connection.close(timeout=seconds)

    async def ask(self, question: str, *arguments: Any) -> Any:
        """The one value that a query of PostgreSQL returns, or None if PostgreSQL does not answer."""
        try:
            async with self.postgres() as connection:
                return await connection.fetchval(question, *arguments)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None


@dataclass(frozen=True)
class System:
    """The system under proof. `data_dir` is that of the stack, or None for another deployment."""

    url: str
    cells: Sequence[Cell]
    data_dir: Path | None = None
    #: Whose proof it is; None: that of users.
    aggregate: Aggregate[Any] | None = None
    #: The hosts of a stack that has several.
    hosts: Hosts | None = None

    @property
    def things(self) -> str:
        """What is proved, by the name of its collection in MongoDB."""
        return COLLECTION if self.aggregate is None else self.aggregate.plural

    async def collection(self, connection: asyncpg.Connection) -> str:
        """The collection that they are read from now."""
        kind = KIND if self.aggregate is None else self.aggregate.name
        live = await connection.fetchval("SELECT live FROM tandem_projection WHERE kind = $1", kind)
        return Generation(live or 1).collection(self.things)

    @property
    def questions(self) -> Questions:
        """What PostgreSQL is asked about them."""
        if self.aggregate is None:
            return ABOUT_USERS
        return Questions(*(text.replace("{kind}", self.aggregate.name) for text in ABOUT_A_KIND))

    @property
    def parts(self) -> Parts:
        """The processes of the stack."""
        return Parts(self.data_dir)

    def cell_of(self, id_: int) -> Cell:
        """The cell that an id names; the first one for an id that names none of them."""
        return next((cell for cell in self.cells if cell.has(id_)), self.cells[0])

    async def count(self, question: str, *arguments: Any) -> int | None:
        """The sum of what the PostgreSQL of every cell answers; None if one does not answer."""
        found = [await cell.ask(question, *arguments) for cell in self.cells]
        return None if None in found else sum(found)

    async def knows(self, seed: str) -> bool:
        """Whether a database has users of this run already.

        Raises:
            LabError: one of them cannot be read; says which, and why.
        """
        return any([await self._knows(cell, seed) for cell in self.cells])

    async def _knows(self, cell: Cell, seed: str) -> bool:
        try:
            async with cell.postgres() as connection:
                in_postgres = await connection.fetchval(self.questions.run_is_known, seed)
                name = await self.collection(connection)
        except asyncpg.UndefinedTableError:
            msg = f"Its PostgreSQL has no {self.things}. Install them where it runs, and start it again."
            raise LabError(msg) from None
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            msg = f"Its PostgreSQL cannot be read ({error}). Check that it runs, and --postgres-url."
            raise LabError(msg) from None
        try:
            deadline = timedelta(seconds=ANSWER_SECONDS)
            async with open_client(cell.mongodb_url, name="prove", deadline=deadline) as client:
                in_mongodb = await collection_of(client, name).find_one({"seed": seed}, {"_id": 1})
        except (PyMongoError, UnsuitableServer) as error:
            reason = str(error).partition(", Timeout:")[0]
            msg = f"Its MongoDB cannot be read ({reason}). Check that it runs, and --mongodb-url."
            raise LabError(msg) from None
        return bool(in_postgres or in_mongodb)


def system_of_hosts(running: Status, data_dir: Path) -> System:
    """The system that runs on several hosts."""
    cells = [Cell(str(each.postgres_url), str(each.mongodb_url), each.number) for each in running.cells]
    return System(str(running.url), cells, data_dir, hosts=Hosts(data_dir))
