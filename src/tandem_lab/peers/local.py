"""Most of an adapter: for programs on this machine that keep users in PostgreSQL and MongoDB."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import asyncpg
import msgspec

from tandem.mongodb.client import open_client
from tandem_lab.bench.children import last_words, last_words_in
from tandem_lab.errors import PeerFailed
from tandem_lab.peers.protocol import About, Databases, Json, Request, Running
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process, Program
from tandem_stack.waiting import until

START_SECONDS, STOP_SECONDS, PREPARE_SECONDS = 60.0, 10.0, 600.0
#: How long a program that has ended stays away: as a supervisor would have it.
AWAY_SECONDS = 0.5
DEADLINE = timedelta(seconds=30)


class Command(msgspec.Struct, frozen=True):
    """A program, and where it runs. `PORT`, `POSTGRES_URL` and `MONGODB_URL` are in its environment, too."""

    words: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str] = {}


def installed(*names: str) -> tuple[str, ...]:
    """Libraries with their versions, for `About.made_with`.

    Raises:
        ImportError: one is not installed.
    """
    return tuple(f"{name} {version(name)}" for name in names)


class LocalPeer:
    """A peer whose programs the lab starts, watches and restarts. See `protocol.Peer` for what it offers.

    A subclass says what to run and what to send, and how to read the first store. The second is a collection
    of documents in the form of `command`, with the e-mail address as `email`.
    """

    about: ClassVar[About]
    #: What is run to its end, once before each start: installs, builds, migrates.
    prepare: ClassVar[Sequence[Command]] = ()
    #: By their names. The one that is called `instance` answers at PORT.
    programs: ClassVar[Mapping[str, Command]]
    collection: ClassVar[str] = "users"
    #: Selects a user of the first store as JSON by `email = any($1)`.
    user_of: ClassVar[str]

    @asynccontextmanager
    async def running(self, databases: Databases) -> AsyncIterator[Running]:
        """See `protocol.Peer`."""
        port = free_port()
        environment = os.environ | {
            "POSTGRES_URL": databases.postgres_url,
            "MONGODB_URL": databases.mongodb_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        for command in self.prepare:
            await self._prepare(command, environment)
        with tempfile.TemporaryDirectory(prefix="tandem-peer-") as folder:
            kept = {
                name: _Kept(command, environment, Path(folder, f"{name}.log"))
                for name, command in self.programs.items()
            }
            pool = await asyncpg.create_pool(databases.postgres_url, min_size=0, max_size=2)
            client = open_client(databases.mongodb_url, name="peer", deadline=DEADLINE)
            self._pool = pool
            self._documents = client.get_default_database()[self.collection]
            try:
                await self._until_it_serves(port, kept)
                yield Running(f"http://127.0.0.1:{port}", {name: each.pid for name, each in kept.items()})
            finally:
                await asyncio.gather(*(each.end() for each in kept.values()))
                pool.terminate()
                await client.close()

    def command(self, user: Json, key: str) -> Request:
        """See `protocol.Peer`. Without a key, as most systems have none."""
        del key
        headers = {"Content-Type": "application/json"}
        return Request("POST", "/users", msgspec.json.encode(user), headers)

    def acknowledged(self, status: int, body: bytes) -> bool:
        """See `protocol.Peer`."""
        del body
        return 200 <= status < 300

    async def first(self, emails: Sequence[str]) -> Sequence[Json]:
        """See `protocol.Peer`."""
        rows = await self._pool.fetch(self.user_of, list(emails))
        return [msgspec.json.decode(row[0]) for row in rows]

    async def second(self, emails: Sequence[str]) -> Sequence[Json]:
        """See `protocol.Peer`."""
        return await self._documents.find({"email": {"$in": list(emails)}}).to_list()

    async def done(self) -> int:
        """See `protocol.Peer`."""
        return await self._documents.estimated_document_count()

    async def _prepare(self, command: Command, environment: Mapping[str, str]) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *map(str, command.words),
                cwd=command.folder,
                env={**environment, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise PeerFailed(f"{self.about.name}: {command.words[0]} cannot be run: {error}.") from None
        try:
            said, _ = await asyncio.wait_for(process.communicate(), PREPARE_SECONDS)
        except TimeoutError:
            process.kill()
            said = f"It took longer than {PREPARE_SECONDS:.0f} s.".encode()
        if process.returncode != 0:
            msg = f"{self.about.name}: `{' '.join(map(str, command.words))}` failed: {last_words(said)}"
            raise PeerFailed(msg)

    async def _until_it_serves(self, port: int, kept: Mapping[str, "_Kept"]) -> None:
        async def serves_or_has_ended() -> bool:
            return any(each.restarts for each in kept.values()) or await accepts_connections(port)

        if not await until(serves_or_has_ended, START_SECONDS) or not await accepts_connections(port):
            said = "; ".join(f"{name}: {last_words_in(each.log)}" for name, each in kept.items())
            raise PeerFailed(f"{self.about.name} does not serve. {said}")


class _Kept:
    """A program that is started again whenever it ends."""

    def __init__(self, command: Command, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.restarts = 0
        self._process = self._start(command, environment)
        self._keeping = asyncio.create_task(self._keep(lambda: self._start(command, environment)))

    def pid(self) -> int | None:
        """The process id now."""
        return self._process.pid if self._process.exit_code is None else None

    async def end(self) -> None:
        """End it for good."""
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        await self._process.stop(signal.SIGTERM, STOP_SECONDS)

    def _start(self, command: Command, environment: Mapping[str, str]) -> Process:
        self.log.touch()
        return Process.start(
            Program(
                command=command.words,
                folder=command.folder,
                log=self.log,
                environment={**environment, **command.environment},
            )
        )

    async def _keep(self, start: Callable[[], Process]) -> None:
        while True:
            await self._process.wait()
            await asyncio.sleep(AWAY_SECONDS)
            self.restarts += 1
            self._process = start()
