"""The race at the desk: it is carried out by a process of its own, one at a time, and told how it stands."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.http.problems import ProblemError, bad_field
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem_lab.desk import PATH
from tandem_lab.desk.happenings import Happening, Teller
from tandem_lab.race.race import installed_peers
from tandem_lab.race.results import MOST_SECONDS, MOST_USERS, OVER, Plan, Race, race_of
from tandem_lab.strikes import Parts

MOST_PER_SECOND = 10_000
#: A line of the process has the whole history of both sides.
MOST_BYTES = 2**20
#: How long a race may take to clear up when the desk ends.
END_SECONDS = 8.0


class Order(msgspec.Struct, frozen=True):
    """A race as it is asked for. See `Plan`."""

    peer: Annotated[str, Meta(max_length=100)]
    users: Annotated[int, Meta(ge=10, le=MOST_USERS)]
    #: A part of addresses and of keys.
    seed: Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9_.-]+$")]
    rate: Annotated[int, Meta(ge=1, le=MOST_PER_SECOND)] | None = None
    fault: Annotated[str, Meta(pattern="^kill$")] | None = None


class RaceController:
    """Begins, shows and stops races on the stack of a data folder."""

    def __init__(self, data_dir: Path, parts: Parts, teller: Teller) -> None:
        #: The one that goes on, or the last one.
        self.race: Race | None = None
        self._data_dir = data_dir
        self._parts = parts
        self._teller = teller
        self._process: Process | None = None
        self._is_stopped = False
        self._following: asyncio.Task[None] | None = None

    @property
    def peers(self) -> list[str]:
        """Who can race here: on a stack of one host, with servers of its own, as stores are dropped there."""
        status = self._parts.status()
        is_own = not status.cells and status.postgres.pid and status.mongodb.pid
        return self._installed if is_own else []

    @cached_property
    def _installed(self) -> list[str]:
        return installed_peers()

    def routes(self) -> list[Route]:
        """All on one path."""
        path, shown = f"{PATH}/race", Race | None
        return [
            Route("GET", path, self.show, "The race, or the last one", responses={200: shown}, tag="lab"),
            Route(
                *("POST", path, self.begin, "Race another design with this stack"),
                body_type=Order,
                responses={202: Race},
                problems=(409,),
                tag="lab",
            ),
            Route("DELETE", path, self.stop, "Stop the race", responses={202: shown}, tag="lab"),
        ]

    async def show(self, _: Request[NoArguments, NoArguments, None]) -> Response:
        """How it stands; null where there was none."""
        return json_response(self.race)

    async def begin(self, request: Request[NoArguments, NoArguments, Order]) -> Response:
        """Begin one."""
        order = request.body
        if order.peer not in self.peers:
            raise bad_field("#/peer", f"must be one of: {', '.join(self.peers) or 'none can race here now'}")
        if order.rate is not None and order.users / order.rate > MOST_SECONDS:
            least = -(-order.users // MOST_SECONDS)
            raise bad_field("#/rate", f"must be at least {least}, or it took longer than {MOST_SECONDS} s")
        if self._following is not None and not self._following.done() and not self._is_over:
            raise ProblemError(409, "A race is going on, or clearing up. Stop it, or wait for its end.")
        authorization = request.header("authorization") or ""
        plan = Plan(**msgspec.structs.asdict(order), authorization=authorization)
        self.race, self._is_stopped = race_of(plan), False
        self._following = asyncio.create_task(self._follow(plan, after=self._following))
        return json_response(self.race, 202)

    async def stop(self, _: Request[Any, Any, Any]) -> Response:
        """Have it stopped. It says so itself when it has cleared up."""
        self._hang_up()
        return json_response(self.race, 202)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """A race that goes on at the end is stopped; it is not waited for long, as the stack ends as well."""
        try:
            yield
        finally:
            self._hang_up()
            if self._following is not None:
                await asyncio.wait([self._following], timeout=END_SECONDS)

    @property
    def _is_over(self) -> bool:
        return self.race is None or self.race.state in OVER

    def _hang_up(self) -> None:
        """It ends by itself when nobody is there any more, and so it does when the desk is killed."""
        self._is_stopped = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _follow(self, plan: Plan, after: asyncio.Task[None] | None) -> None:
        """Run it, and take over what it tells. `after`: the one before, whose process may just be ending."""
        if after is not None:
            await asyncio.wait([after])
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem_lab.race", str(self._data_dir)),
            stdin=PIPE,
            stdout=PIPE,
            limit=MOST_BYTES,
            cwd="/",  # what works in the desk's folder is killed when the desk dies; this has to clear up
        )
        assert process.stdin is not None  # noqa: S101 - narrows the type: it is a pipe
        assert process.stdout is not None  # noqa: S101 - the same
        with suppress(ConnectionError):  # it has ended at once, which is seen below
            process.stdin.write(msgspec.json.encode(plan) + b"\n")
            await process.stdin.drain()
        if self._is_stopped:
            self._hang_up()
        told = 0  # of its faults
        async for line in process.stdout:
            self.race = race = msgspec.json.decode(line, type=Race)
            for struck in race.faults[told:]:
                happening = Happening(datetime.now(UTC), struck.text)
                self._teller.tell(plan.seed, happening, plan.authorization)
            told = len(race.faults)
        is_over = self._is_over
        code = await process.wait()
        if self.race is not None and not is_over:
            self.race.state = "failed"
            self.race.reason = f"Its process ended with exit code {code}. The log of the desk says more."
