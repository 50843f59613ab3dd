"""Lets faults happen to the stack, at most one to a part at a time, and remembers the last of them."""

import asyncio
import logging
import random
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from tandem.http.problems import ProblemError, bad_field
from tandem_lab.desk.catalogue import EVERY_INSTANCE, PRESETS, Fault, Step, faults_of
from tandem_lab.desk.happenings import Happening, Teller
from tandem_lab.errors import LabError
from tandem_lab.hosts import Hosts
from tandem_lab.strikes import SERVERS, STRIKE_SECONDS, Parts, end, go_on, stopped_with_children
from tandem_stack.errors import StackError
from tandem_stack.hosts.faults import HostFaults
from tandem_stack.processes import children
from tandem_stack.waiting import until

logger = logging.getLogger(__name__)

# How long a part may take to be back, and an instance to end in order.
PATIENCE_SECONDS = 120.0
MOST_REMEMBERED = 50
# How soon a new life is ended of an instance that is to stay down. The status names it once it is ready, so
# it lives for a moment.
LOOK_SECONDS = 0.05


class Struck(msgspec.Struct, rename="camel"):
    """A fault that was asked for: to whom, since when, and whether it is over."""

    id: int
    fault: str
    target: str
    seed: str | None
    began_at: datetime
    text: str
    ended_at: datetime | None = None
    state: Literal["going on", "over", "failed"] = "going on"


class Asked(msgspec.Struct, frozen=True):
    """Who asked for a fault: the run that it belongs to, and the access token that came with it."""

    seed: str | None
    authorization: str = ""


class Planned(msgspec.Struct, frozen=True):
    """A fault whose target is chosen and free."""

    fault: str
    target: str
    #: The parts that no other fault may happen to meanwhile.
    parts: frozenset[str]
    text: str
    work: Callable[[], Awaitable[bool]]


class Striker:
    """Carries out faults. At its end those that go on are ended."""

    def __init__(self, parts: Parts, hosts: Callable[[], Hosts], teller: Teller) -> None:
        self.struck: deque[Struck] = deque(maxlen=MOST_REMEMBERED)
        self._parts = parts
        self._hosts = hosts
        self._teller = teller
        self._number = 0
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        #: The database servers that `tandem up` has started, as far as they were ever seen running.
        self._servers: set[str] = set()

    def faults(self) -> list[Fault]:
        """What can happen to this stack."""
        self._servers |= self._parts.pids().keys() & SERVERS.keys()
        return faults_of(self._parts.status(), self._servers)

    def strike(self, name: str, target: str | None, seconds: int, asked: Asked) -> Struck:
        """Let a fault happen from now on.

        Raises:
            ProblemError: there is no such fault or target (400), or it is struck or down just now (409).
        """
        return self._begin(self._plan(name, target, seconds), asked)

    def strike_preset(self, name: str, asked: Asked) -> list[Struck]:
        """Begin a preset. Returns what happens at once; the rest follows by itself.

        Raises:
            ProblemError: there is no such preset (404), or one of its targets is not free (409).
        """
        steps = next((steps for preset, steps in PRESETS.items() if preset.name == name), None)
        if steps is None:
            raise ProblemError(404, f"There is no preset {name!r}. GET /lab names them.")
        planned = [self._plan(step.fault, None, step.seconds) for step in steps if not step.after_seconds]
        for step in steps:
            if step.after_seconds:
                self._keep(self._later(step, asked))
        return [self._begin(each, asked) for each in planned]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """First undo what a desk that was killed has left behind; at the end, what goes on."""
        for pid in self._parts.pids().values():
            for each in (pid, *children(pid, recursive=True)):
                go_on(each)
        for host in (host for cell in self._parts.status().cells for host in cell.hosts):
            with suppress(StackError):
                await self._of_hosts.mend(host.name)
                await self._of_hosts.boot(host.name)
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _of_hosts(self) -> HostFaults:
        return HostFaults(self._hosts().data_dir)

    def _plan(self, name: str, target: str | None, seconds: int) -> Planned:
        faults = {fault.name: fault for fault in self.faults()}
        if name not in faults:
            raise bad_field("#/fault", f"is no fault of this stack: there are {', '.join(faults)}")
        targets = faults[name].targets
        if target is not None and target not in targets:
            raise bad_field("#/target", f"cannot be struck like this: there are {', '.join(targets)}")
        free = [each for each in targets if not self._busy & self._parts_of(each)]
        if not free or target not in {None, *free}:
            raise ProblemError(
                409, f"{_title(target or targets[0])} is struck just now. Wait until it is well."
            )
        chosen = target or random.choice(free)  # noqa: S311 - guards nothing
        text, work = self._work(name, chosen, seconds)
        return Planned(name, chosen, self._parts_of(chosen), text, work)

    def _parts_of(self, target: str) -> frozenset[str]:
        if target != EVERY_INSTANCE:
            return frozenset((target,))
        return frozenset(instance.app_id for instance in self._parts.status().instances)

    def _work(self, name: str, target: str, seconds: int) -> tuple[str, Callable[[], Awaitable[bool]]]:
        """What is said of a fault, and what carries it out; that tells whether its target works again."""
        verb, _, whom = name.partition("-")
        title = _title(target)
        if name == "rolling-restart":
            return "A rolling restart of all instances began", self._restart_all
        if whom == "host":
            faults = self._of_hosts
            begin, undo, what = (
                (faults.kill, faults.boot, "lost its power")
                if verb == "kill"
                else (faults.cut, faults.mend, "was cut off")
            )
            return f"{title} {what} for {seconds} s", partial(self._hold, begin, undo, target, seconds)
        if verb == "failover":
            work = partial(self._hand_over, whom, int(target.rsplit(maxsplit=1)[-1]))
            return f"{SERVERS[whom]} of {title} was told to hand over", work
        pid = self._parts.pids().get(target)
        if pid is None:
            raise ProblemError(409, f"{title} is down just now. Try again when it is back.")
        if verb == "pause":
            return f"{title} was frozen for {seconds} s", partial(self._freeze, pid, seconds)
        if whom in SERVERS:
            return f"{title} was killed", partial(self._end, target, pid, signal.SIGKILL)
        keep_down = partial(self._keep_down, target, seconds)
        return f"{title} was killed, and again whenever it was back, for {seconds} s", keep_down

    def _begin(self, planned: Planned, asked: Asked) -> Struck:
        self._number += 1
        now = datetime.now(UTC)
        struck = Struck(self._number, planned.fault, planned.target, asked.seed, now, planned.text)
        self.struck.append(struck)
        self._busy |= planned.parts
        self._keep(self._carry_out(struck, planned))
        if asked.seed is not None:
            self._teller.tell(asked.seed, Happening(now, planned.text), asked.authorization)
        return struck

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, step: Step, asked: Asked) -> None:
        await asyncio.sleep(step.after_seconds)
        try:
            self.strike(step.fault, None, step.seconds, asked)
        except ProblemError as problem:
            logger.warning("%s of a preset was left out: %s", step.fault, problem)

    async def _carry_out(self, struck: Struck, planned: Planned) -> None:
        is_well = False
        try:
            is_well = await planned.work()
        except ProcessLookupError:
            is_well = True  # it ended by itself just then
        except (StackError, LabError) as error:
            struck.text = f"{struck.text}, but: {error}"
        finally:
            struck.state = "over" if is_well else "failed"
            struck.ended_at = datetime.now(UTC)
            self._busy -= planned.parts

    async def _end(self, part: str, pid: int, number: signal.Signals) -> bool:
        await end(pid, number, STRIKE_SECONDS if number is signal.SIGKILL else PATIENCE_SECONDS)
        return await until(lambda: self._parts.is_back(part, pid), PATIENCE_SECONDS)

    async def _keep_down(self, instance: str, seconds: int) -> bool:
        """Kill an instance, and who is started in its place: that one would take up its own users."""
        loop = asyncio.get_running_loop()
        began, last = loop.time(), 0
        while not last or loop.time() - began < seconds:
            pid = self._parts.pids().get(instance)
            if pid is not None and pid != last:
                last = pid
                with suppress(ProcessLookupError):
                    await end(pid, signal.SIGKILL, STRIKE_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)
        return await until(lambda: self._parts.is_back(instance, last), PATIENCE_SECONDS)

    async def _freeze(self, pid: int, seconds: int) -> bool:
        with stopped_with_children(pid):
            await asyncio.sleep(seconds)
        return True

    async def _restart_all(self) -> bool:
        for part in self._parts.instances():
            pid = self._parts.pids().get(part)
            with suppress(ProcessLookupError):
                if pid is not None and not await self._end(part, pid, signal.SIGTERM):
                    return False
        return True

    async def _hold(
        self,
        begin: Callable[[str], Awaitable[None]],
        undo: Callable[[str], Awaitable[None]],
        host: str,
        seconds: int,
    ) -> bool:
        """Let it happen to a host for a while; whether all that ran there runs again."""
        try:
            await begin(host)
            await asyncio.sleep(seconds)
        finally:
            await undo(host)

        async def runs() -> bool:
            hosts = (each for cell in self._parts.status().cells for each in cell.hosts)
            return any(each.name == host and None not in each.pids.values() for each in hosts)

        return await until(runs, PATIENCE_SECONDS)

    async def _hand_over(self, server: str, number: int) -> bool:
        """Have the primary of a cell hand over; whether another one takes writes then."""
        hosts = self._hosts()
        cell = next(cell for cell in hosts.cells() if cell.number == number)
        primaries = hosts.primaries if server == "postgres" else hosts.mongodb_primaries
        before = [host.name for host in await primaries(cell)]
        for host in await primaries(cell):
            await (hosts.switch_over if server == "postgres" else hosts.step_down)(host)

        async def is_another() -> bool:
            names = [host.name for host in await primaries(cell)]
            return len(names) == 1 and names != before

        return await until(is_another, PATIENCE_SECONDS)


def _title(target: str) -> str:
    return SERVERS.get(target, target)
