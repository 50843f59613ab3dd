"""The faults of a proof: processes of the stack are ended or stopped while users are on their way."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from typing import NamedTuple

import psutil

from tandem_lab.errors import LabError
from tandem_lab.meanwhile import meanwhile
from tandem_lab.proof.load import Load, Stalled
from tandem_lab.proof.plan import Fault, Strike, Target
from tandem_lab.proof.stack import System
from tandem_lab.proof.verdict import FaultReport
from tandem_lab.strikes import STRIKE_SECONDS, end, is_in_state, stopped
from tandem_stack.waiting import until

# Longer than a lease (LEASE_SECONDS), so that other instances take over the paused instance's users.
PAUSE_SECONDS = 7.0
# So many users are sent only when all parts work again: one of them shows that the flow has recovered. A
# fault may outlast all others, as PostgreSQL ends the transaction of a paused instance after 20 s only.
KEPT_USERS = 10
# Of each fault's share of the users, so many are not sent before it: a fault may be held for longer than the
# others last, and then one of these shows that commits go on.
HELD_BACK_USERS = 50


class Struck(NamedTuple):
    """To which parts a fault has happened, whether that was seen, and whether all of them work again."""

    targets: list[str]
    seen: bool
    healed: bool
    #: The number of the cell that they are in.
    cell: int = 0


class Faults:
    """Lets faults happen to the parts of a stack, and waits until the flow has recovered."""

    #: So many users are not sent while a fault strikes.
    kept_users = KEPT_USERS

    def __init__(self, system: System, load: Load, dice: random.Random, patience_seconds: float) -> None:
        self._system = system
        self._load = load
        self._dice = dice
        self._patience_seconds = patience_seconds
        self._parts = system.parts
        self._all = self._parts.pids().keys()

    async def strike(self, fault: Fault) -> FaultReport:
        """Let a fault happen, and wait until the flow has recovered."""
        began, began_at, after = time.monotonic(), time.time(), self._load.acknowledged
        self._load.silence.begin()
        async with meanwhile(self._load.trickle(self.kept_users)):
            struck = await self._strike(fault)
            healed = struck.healed and await until(self._are_all_ready, self._patience_seconds)
        async with meanwhile(self._load.trickle()):
            recovered = healed and await self._flows_again()
        seconds = round(time.monotonic() - began, 1)
        return FaultReport(
            fault.name,
            struck.targets,
            after,
            struck.seen,
            seconds if recovered else None,
            round(self._load.silence.longest(struck.cell), 1),
            round(began_at, 3),
        )

    async def _strike(self, fault: Fault) -> Struck:
        """Let it happen to each of its parts in turn."""
        targets = self._parts_of(fault.target)
        each = [await self._strike_part(fault.strike, part) for part in targets]
        return Struck(targets, all(one.seen for one in each), all(one.healed for one in each))

    def _parts_of(self, target: Target) -> list[str]:
        instances = self._parts.instances()
        if not instances:
            msg = "No instance of the stack runs any more, so there is nothing left to prove."
            raise LabError(msg)
        if target is Target.EVERY_INSTANCE:
            return instances
        return [self._dice.choice(instances) if target is Target.ONE_INSTANCE else target.value]

    async def _strike_part(self, strike: Strike, part: str) -> Struck:
        pid = self._parts.pids().get(part)
        if pid is None:
            return Struck([part], seen=False, healed=True)
        try:
            if strike is Strike.PAUSE:
                return await self._pause(part, pid)
            return await self._end(part, pid, signal.Signals[strike.value])
        except ProcessLookupError:  # it has just ended by itself
            return Struck([part], seen=False, healed=True)

    async def _end(self, part: str, pid: int, number: signal.Signals) -> Struck:
        """End a process, and wait until the supervisor has started it again."""
        patience_seconds = self._patience_seconds if number is signal.SIGTERM else STRIKE_SECONDS
        seen = await end(pid, number, patience_seconds)
        return Struck(
            [part], seen, await until(lambda: self._parts.is_back(part, pid), self._patience_seconds)
        )

    async def _pause(self, part: str, pid: int) -> Struck:
        """Stop a process for longer than a lease; an instance, until others have synchronized its users."""
        with stopped(pid):
            seen = await until(lambda: is_in_state(pid, psutil.STATUS_STOPPED), STRIKE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
            finished = part == Target.MONGODB.value or await until(
                lambda: self._has_none_pending(part), self._patience_seconds
            )
        return Struck([part], seen, finished)

    async def _has_none_pending(self, instance: str) -> bool:
        return await self._system.count(self._system.questions.pending_of_instance, instance) == 0

    async def _flows_again(self) -> bool:
        """Wait until a user that is acknowledged from now on is SYNCRONIZED."""
        try:
            user_id = await self._load.next_acknowledged()
        except Stalled:
            return False
        return await until(lambda: self._is_synchronized(user_id), self._patience_seconds)

    async def _is_synchronized(self, id_: int) -> bool:
        question = self._system.questions.is_synchronized
        return bool(await self._system.cell_of(id_).ask(question, id_))

    async def _are_all_ready(self) -> bool:
        running = self._parts.pids()
        return all([part in running and await self._parts.is_ready(part) for part in self._all])


def order_of(faults: Sequence[Fault], dice: random.Random) -> list[tuple[Fault, float]]:
    """The faults in random order. Each has the part of its users that is sent before it happens."""
    return [(fault, dice.uniform(0.2, 0.8)) for fault in dice.sample(faults, len(faults))]
