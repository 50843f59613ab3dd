"""Faults of a peer's proof: its own processes, or the databases that it uses, are killed or stopped."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tandem_lab.meanwhile import meanwhile
from tandem_lab.peers.protocol import Running
from tandem_lab.proof.faults import KEPT_USERS, PAUSE_SECONDS
from tandem_lab.proof.load import Load
from tandem_lab.proof.plan import FAULTS, Fault, Strike, Target
from tandem_lab.proof.verdict import FaultReport
from tandem_lab.strikes import STRIKE_SECONDS, is_in_state, stopped_with_children
from tandem_stack.processes import kill_tree
from tandem_stack.status import Status, read_status
from tandem_stack.waiting import until

#: To end programs in order is left out: how each wants to be told is its own affair.
PEER_FAULTS = {name: fault for name, fault in FAULTS.items() if fault.strike is not Strike.END}
INSTANCE = "instance"

Pid = Callable[[], int | None]


def parts_of(running: Running, data_dir: Path) -> dict[str, Pid]:
    """All that can be struck, by name: the peer's processes called instance..., and the stack's databases."""

    def status() -> Status:
        return read_status(data_dir) or Status()

    parts = {name: pid for name, pid in running.processes.items() if name.startswith(INSTANCE)}
    return parts | {"postgres": lambda: status().postgres.pid, "mongodb": lambda: status().mongodb.pid}


def targets_of(fault: Fault, parts: Mapping[str, Pid]) -> list[str]:
    """The names of the parts that a fault may strike; none: it has to be left out."""
    if fault.target is Target.ONE_INSTANCE:
        return [name for name in parts if name.startswith(INSTANCE)]
    return [fault.target.value]


class PeerFaults:
    """Lets faults happen, and waits until users go all the way again.

    `arrives`: whether a user that is acknowledged from now on comes into the second store.
    """

    def __init__(
        self,
        parts: Mapping[str, Pid],
        load: Load,
        dice: random.Random,
        arrives: Callable[[], Awaitable[bool]],
    ) -> None:
        self._parts = parts
        self._load = load
        self._dice = dice
        self._arrives = arrives

    async def strike(self, fault: Fault, patience_seconds: float) -> FaultReport:
        """Let a fault happen, and wait until the flow has recovered."""
        part = self._dice.choice(targets_of(fault, self._parts))
        began, began_at, after = time.monotonic(), time.time(), self._load.acknowledged
        self._load.silence.begin()
        async with meanwhile(self._load.trickle(KEPT_USERS)):
            seen, healed = await self._strike(fault.strike, part, patience_seconds)
        async with meanwhile(self._load.trickle()):
            recovered = healed and await self._arrives()
        seconds = round(time.monotonic() - began, 1)
        silence = round(self._load.silence.longest(0), 1)
        after_it = seconds if recovered else None
        return FaultReport(fault.name, [part], after, seen, after_it, silence, round(began_at, 3))

    async def _strike(self, strike: Strike, part: str, patience_seconds: float) -> tuple[bool, bool]:
        """Whether it was seen to happen, and to pass."""
        pid_now = self._parts[part]
        pid = pid_now()
        if pid is None:
            return False, True
        if strike is Strike.PAUSE:
            return await _pause(pid), True
        if part.startswith(INSTANCE):
            kill_tree(pid)
        else:  # the supervisor's way of a crash: a server ends its own children
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        async def is_back() -> bool:
            return pid_now() not in {None, pid}

        return await until(lambda: is_in_state(pid, None), STRIKE_SECONDS), await until(
            is_back, patience_seconds
        )


async def _pause(pid: int) -> bool:
    """Stop a process and its descendants for a while; whether it was seen to stand still."""
    with stopped_with_children(pid):
        seen = await until(lambda: is_in_state(pid, psutil.STATUS_STOPPED), STRIKE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
    return seen
