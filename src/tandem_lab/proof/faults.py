"""The faults of a proof: processes of the stack are ended or stopped while users are on their way."""

import asyncio
import os
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
from tandem_lab.proof.stack import System, process_state, stopped
from tandem_lab.proof.verdict import FaultReport
from tandem_stack.waiting import until

# Longer than a lease (LEASE_SECONDS), so that other instances take over the paused instance's users.
PAUSE_SECONDS = 7.0
# So many users are sent only when all parts work again: one of them shows that the flow has recovered. A
# fault may outlast all others, as PostgreSQL ends the transaction of a paused instance after 20 s only.
KEPT_USERS = 10
# How long to wait until a process is gone or stopped, which usually takes milliseconds.
STRIKE_SECONDS = 10.0


class _Struck(NamedTuple):
    """Whether the fault was seen to happen, and whether its part works again."""

    seen: bool
    healed: bool


class Faults:
    """Lets faults happen to the parts of a stack, and waits until the flow has recovered."""

    def __init__(self, system: System, load: Load, dice: random.Random, patience_seconds: float) -> None:
        self._system = system
        self._load = load
        self._dice = dice
        self._patience_seconds = patience_seconds
        self._parts = system.pids().keys()

    async def strike(self, fault: Fault) -> FaultReport:
        """Let a fault happen to each of its parts in turn, and wait until the flow has recovered."""
        began, after = time.monotonic(), self._load.acknowledged
        targets = self._parts_of(fault.target)
        seen = healed = True
        async with meanwhile(self._load.trickle(KEPT_USERS)):
            for part in targets:
                struck = await self._strike_part(fault.strike, part)
                seen, healed = seen and struck.seen, healed and struck.healed
            healed = healed and await until(self._are_all_ready, self._patience_seconds)
        async with meanwhile(self._load.trickle()):
            recovered = healed and await self._flows_again()
        seconds = round(time.monotonic() - began, 1)
        return FaultReport(fault.name, targets, after, seen, seconds if recovered else None)

    def _parts_of(self, target: Target) -> list[str]:
        instances = self._system.instances()
        if not instances:
            msg = "No instance of the stack runs any more, so there is nothing left to prove."
            raise LabError(msg)
        if target is Target.EVERY_INSTANCE:
            return instances
        return [self._dice.choice(instances) if target is Target.ONE_INSTANCE else target.value]

    async def _strike_part(self, strike: Strike, part: str) -> _Struck:
        pid = self._system.pids().get(part)
        if pid is None:
            return _Struck(seen=False, healed=True)
        try:
            if strike is Strike.PAUSE:
                return await self._pause(part, pid)
            return await self._end(part, pid, signal.Signals[strike.value])
        except ProcessLookupError:  # it has just ended by itself
            return _Struck(seen=False, healed=True)

    async def _end(self, part: str, pid: int, number: signal.Signals) -> _Struck:
        """End a process, and wait until the supervisor has started it again."""
        os.kill(pid, number)
        patience_seconds = self._patience_seconds if number is signal.SIGTERM else STRIKE_SECONDS
        seen = await until(lambda: _is_in_state(pid, None), patience_seconds)
        return _Struck(seen, await until(lambda: self._system.is_back(part, pid), self._patience_seconds))

    async def _pause(self, part: str, pid: int) -> _Struck:
        """Stop a process for longer than a lease; an instance, until others have synchronized its users."""
        with stopped(pid):
            seen = await until(lambda: _is_in_state(pid, psutil.STATUS_STOPPED), STRIKE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
            finished = part == Target.MONGODB.value or await until(
                lambda: self._is(0, self._system.questions.pending_of_instance, part), self._patience_seconds
            )
        return _Struck(seen, finished)

    async def _is(self, answer: object, question: str, argument: object) -> bool:
        return bool(await self._system.ask(question, argument) == answer)

    async def _flows_again(self) -> bool:
        """Wait until a user that is acknowledged from now on is SYNCRONIZED."""
        try:
            user_id = await self._load.next_acknowledged()
        except Stalled:
            return False
        question = self._system.questions.is_synchronized
        return await until(lambda: self._is(True, question, user_id), self._patience_seconds)

    async def _are_all_ready(self) -> bool:
        running = self._system.pids()
        return all([part in running and await self._system.is_ready(part) for part in self._parts])


def order_of(faults: Sequence[Fault], dice: random.Random) -> list[tuple[Fault, float]]:
    """The faults in random order. Each has the part of its users that is sent before it happens."""
    return [(fault, dice.uniform(0.2, 0.8)) for fault in dice.sample(faults, len(faults))]


async def _is_in_state(pid: int, state: str | None) -> bool:
    return process_state(pid) == state
