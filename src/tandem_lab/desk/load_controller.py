"""`/lab/load`: users from the server, sent by a process of its own (`sending`). One load at a time."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tandem.http.problems import ProblemError
from tandem.http.requests import NoArguments, Request, Response
from tandem.http.routes import Route
from tandem.user.profile import Seed
from tandem_lab.desk import PATH
from tandem_lab.desk.sending import Order, Progress
from tandem_lab.proof.plan import MOST_OF_A_KIND, Mix
from tandem_lab.strikes import Parts

LIMITS = {"users": 1_000_000, "rate": 20_000, "connections": 200, "seconds": 60}
TAG = "load"

_Share = Annotated[int, Meta(ge=0, le=MOST_OF_A_KIND)]


class Shares(msgspec.Struct, frozen=True):
    """How many commands of each kind are sent, in proportion to each other."""

    create: Annotated[int, Meta(ge=1, le=MOST_OF_A_KIND)] = 100
    update: _Share = 0
    delete: _Share = 0


class LoadAsked(msgspec.Struct, frozen=True):
    """A load, as it is asked for."""

    seed: Seed
    users: Annotated[
        int,
        Meta(ge=1, le=LIMITS["users"], description="How many to create. Updates and deletions come on top."),
    ]
    rate: (
        Annotated[float, Meta(gt=0, le=LIMITS["rate"], description="Commands a second; null: all that go.")]
        | None
    ) = None
    connections: Annotated[int, Meta(ge=1, le=LIMITS["connections"])] = 50
    mix: Shares = Shares()


class Load(Progress, rename="camel", kw_only=True):
    """A load, and what has come of it. `seconds` and `reason` are those of `Progress`."""

    seed: str
    users: int
    rate: float | None
    connections: int
    mix: Shares
    started_at: datetime
    state: Literal["preparing", "sending", "stopped", "done", "failed"] = "preparing"


class LoadController:
    """Starts the load, follows it, and ends it."""

    def __init__(self, parts: Parts) -> None:
        self.load: Load | None = None
        self._parts = parts
        self._process: Process | None = None
        self._following: asyncio.Task[None] | None = None
        self._is_stopped = False

    def routes(self) -> list[Route]:
        """Start, see, and stop."""
        path = f"{PATH}/load"
        return [
            Route(
                "POST",
                path,
                self.start,
                "Send users from the server",
                body_type=LoadAsked,
                responses={202: Load},
                problems=(409,),
                tag=TAG,
            ),
            Route("GET", path, self.show, "The last load", responses={200: Load | None}, tag=TAG),
            Route("DELETE", path, self.stop, "Stop the load", responses={202: Load | None}, tag=TAG),
        ]

    async def start(self, request: Request[NoArguments, NoArguments, LoadAsked]) -> Response:
        """Start one, if none is going on.

        Raises:
            ProblemError: one is going on (409).
        """
        if self._following is not None and not self._following.done():
            raise ProblemError(409, "A load is going on. Stop it, or wait until it is done.")
        asked = request.body
        address = urlsplit(self._parts.status().url or "")
        order = Order(
            host=str(address.hostname),
            port=address.port or 80,
            seed=asked.seed,
            users=asked.users,
            connections=asked.connections,
            rate=asked.rate,
            mix=Mix(asked.mix.create, asked.mix.update, asked.mix.delete),
            authorization=request.header("authorization") or "",
        )
        self.load = Load(**msgspec.structs.asdict(asked), started_at=datetime.now(UTC))
        self._is_stopped = False
        self._following = asyncio.create_task(self._follow(order, self.load))
        return Response(202, msgspec.json.encode(self.load))

    async def show(self, _: Request[Any, Any, Any]) -> Response:
        """The one that is going on, or the last one; null if there was none."""
        return Response(200, msgspec.json.encode(self.load))

    async def stop(self, _: Request[Any, Any, Any]) -> Response:
        """Begin nothing new. What is on its way is still waited for, so that the counts are right."""
        self._is_stopped = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()
        return Response(202, msgspec.json.encode(self.load))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """A load that goes on at the end is ended at once."""
        try:
            yield
        finally:
            if self._following is not None:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self, order: Order, load: Load) -> None:
        """Run the sender, and take over what it tells, until it ends."""
        command = (sys.executable, "-m", "tandem_lab.desk.sending")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=None)
        self._process = process
        if self._is_stopped:
            process.terminate()
        assert process.stdin is not None  # noqa: S101 - narrows the type: both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            # By the pipe, since everybody on this machine can read command lines.
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            async for line in process.stdout:
                told = msgspec.json.decode(line, type=Progress)
                for name, value in msgspec.structs.asdict(told).items():
                    setattr(load, name, value)
                load.state = "sending"
            load.state = self._how_it_ended(await process.wait(), load)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._process = None

    def _how_it_ended(self, exit_code: int, load: Load) -> Literal["stopped", "done", "failed"]:
        if self._is_stopped:
            return "stopped"
        if exit_code != 0:
            load.reason = "The process that sends has ended. The desk's log says why."
        return "failed" if load.reason else "done"
