"""The running Tandem, by the calls of a peer: its load balancer, and the databases of each of its cells."""

import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

import msgspec

from tandem.mongodb.client import collection_of, open_client
from tandem_lab.errors import LabError
from tandem_lab.peers.protocol import About, Databases, Json, Request, Running
from tandem_lab.proof.stack import System
from tandem_lab.strikes import SERVERS

DEADLINE = timedelta(seconds=30)
USER_OF = "SELECT rows::text FROM lab_user WHERE id IN (SELECT id FROM prm_user WHERE email = any($1))"


class RunningTandem:
    """A `Peer` that is there already, and serves others meanwhile: it counts the users of one run alone."""

    about = About("tandem", "Commands gathered into batches; a pending row until MongoDB has the user.", True)

    def __init__(self, system: System, seed: str, authorization: str = "") -> None:
        self._system = system
        self._seed = seed
        self._rights = {"Authorization": authorization} if authorization else {}

    @asynccontextmanager
    async def running(self, databases: Databases | None = None) -> AsyncIterator[Running]:
        """See `Peer`. Starts nothing; connects to its databases."""
        del databases
        async with AsyncExitStack() as stack:
            self._collections = []
            for cell in self._system.cells:
                async with cell.postgres() as connection:
                    name = await self._system.collection(connection)
                client = open_client(cell.mongodb_url, name="race", deadline=DEADLINE)
                self._collections.append(collection_of(await stack.enter_async_context(client), name))
            yield Running(self._system.url)

    def command(self, user: Json, key: str) -> Request:
        """See `Peer`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, **self._rights}
        path = f"/api/v1/user-command?seed={self._seed}"
        return Request("POST", path, msgspec.json.encode(user), headers)

    def acknowledged(self, status: int, body: bytes) -> bool:
        """See `Peer`."""
        del body
        return status == 201

    async def first(self, emails: Sequence[str]) -> Sequence[Json]:
        """See `Peer`."""
        found: list[Json] = []
        for cell in self._system.cells:
            async with cell.postgres(DEADLINE.total_seconds()) as connection:
                found += [
                    msgspec.json.decode(row[0]) for row in await connection.fetch(USER_OF, list(emails))
                ]
        return found

    async def second(self, emails: Sequence[str]) -> Sequence[Json]:
        """See `Peer`."""
        found: list[Json] = []
        for documents in self._collections:
            found += await documents.find({"email": {"$in": list(emails)}}).to_list()
        return found

    async def done(self) -> int:
        """See `Peer`."""
        return sum([await each.count_documents({"seed": self._seed}) for each in self._collections])

    def kill_one(self) -> str:
        """Kill one of its instances, chosen by the seed; returns its name.

        Raises:
            LabError: none runs.
        """
        pids = self._system.parts.pids()
        instances = sorted(pids.keys() - SERVERS.keys())
        if not instances:
            raise LabError("No instance of Tandem runs any more. Look at `tandem status`.")
        name = random.Random(self._seed).choice(instances)  # noqa: S311 - it must be repeatable
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pids[name], signal.SIGKILL)
        return f"{name} of Tandem"
