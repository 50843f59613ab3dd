"""The faults of several hosts: one loses its power or its cable, or is told to hand over to another.

A fault is held for so long that the databases have found another primary. It is over when its cell is as it
was: all members, all copies.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from tandem_lab.errors import LabError
from tandem_lab.hosts import HostCell, Hosts, seconds_to
from tandem_lab.meanwhile import meanwhile
from tandem_lab.proof.faults import HELD_BACK_USERS, KEPT_USERS, Faults, Struck
from tandem_lab.proof.load import Load
from tandem_lab.proof.plan import OF_CABLES, OF_STANDBYS, Fault, Strike, Target
from tandem_lab.proof.stack import System
from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.hosts.faults import HostFaults
from tandem_stack.waiting import until

# Longer than Patroni leaves a primary alone that it cannot reach (its TTL_SECONDS), and than elections take.
HOLD_SECONDS = 35.0
# A cell of one database host has nobody to wait for.
HOLD_ALONE_SECONDS = 8.0
STRIKE_SECONDS = 60.0
DELAY_MS, JITTER_MS, LOSS_PERCENT = 40, 10, 0.5

Primaries = Callable[[HostCell], Awaitable[list[Host]]]


class FaultsOfHosts(Faults):
    """See `Faults`; for a stack of several hosts."""

    kept_users = HELD_BACK_USERS

    def __init__(
        self, system: System, hosts: Hosts, load: Load, dice: random.Random, patience_seconds: float
    ) -> None:
        super().__init__(system, load, dice, patience_seconds)
        self._hosts = hosts
        self._faults = HostFaults(hosts.data_dir)

    async def _strike(self, fault: Fault) -> Struck:
        cells = [cell for cell in self._hosts.cells() if cell.has_standbys or fault.strike not in OF_STANDBYS]
        cell = self._dice.choice(cells)
        primaries: Primaries = (
            self._hosts.mongodb_primaries if fault.target is Target.MONGODB else self._hosts.primaries
        )
        found = await primaries(cell)
        if not found:
            msg = f"Cell {cell.number} has no primary before {fault}, so there is nothing to strike."
            raise LabError(msg)
        if fault.strike is Strike.HAND_OVER:
            return await self._hand_over(cell, found[0], primaries)
        return await self._hold(cell, found[0], fault.strike)

    async def _hand_over(self, cell: HostCell, before: Host, primaries: Primaries) -> Struck:
        """Have a primary hand over, and wait until another host's is the only one."""
        is_postgres = primaries == self._hosts.primaries
        await (self._hosts.switch_over if is_postgres else self._hosts.step_down)(before)

        async def is_another() -> bool:
            names = [host.name for host in await primaries(cell)]
            return len(names) == 1 and before.name not in names

        seen = await until(is_another, STRIKE_SECONDS)
        return Struck([before.name], seen, await self._is_whole_again(cell), cell.number)

    async def _hold(self, cell: HostCell, host: Host, strike: Strike) -> Struck:
        """Let it happen to a primary's host, until commits go on again where others can take over."""
        await self._begin(strike, host.name)
        try:
            seen = await until(lambda: self._is_seen(cell, host, strike), STRIKE_SECONDS)
            await asyncio.sleep(HOLD_SECONDS if cell.has_standbys else HOLD_ALONE_SECONDS)
            goes_on = not cell.has_standbys or await self._commits_again(cell)
        finally:
            await (self._faults.boot if strike is Strike.POWER_OFF else self._faults.mend)(host.name)
        return Struck([host.name], seen, goes_on and await self._is_whole_again(cell), cell.number)

    async def _begin(self, strike: Strike, host: str) -> None:
        if strike is Strike.SLOW:
            await self._faults.slow(host, DELAY_MS, JITTER_MS, LOSS_PERCENT)
            return
        faults = {
            Strike.POWER_OFF: self._faults.kill,
            Strike.CUT: self._faults.cut,
            Strike.CUT_FROM_STANDBYS: self._faults.isolate,
        }
        await faults[strike](host)

    async def _is_seen(self, cell: HostCell, host: Host, strike: Strike) -> bool:
        """Whether what was asked for can be seen from outside."""
        if strike is Strike.CUT_FROM_STANDBYS:
            return any(other.name != host.name for other in await self._hosts.primaries(cell))
        seconds = await seconds_to(host)
        return DELAY_MS / 1000 <= seconds < float("inf") if strike is Strike.SLOW else seconds == float("inf")

    async def _commits_again(self, cell: HostCell) -> bool:
        """Wait until the cell acknowledges something from now on."""
        now = time.monotonic()

        async def has_acknowledged() -> bool:
            return self._load.silence.last(cell.number) > now

        async with meanwhile(self._load.trickle(KEPT_USERS)):
            return await until(has_acknowledged, self._patience_seconds)

    async def _is_whole_again(self, cell: HostCell) -> bool:
        return await until(lambda: self._hosts.is_whole(cell), self._patience_seconds)

    async def _are_all_ready(self) -> bool:
        return await self._hosts.are_instances_ready()


async def cannot_strike(hosts: Hosts, faults: Sequence[Fault]) -> dict[str, str]:
    """Which of these faults cannot be tried here, by name, each with the reason."""
    reasons = {}
    has_standbys = any(cell.has_standbys for cell in hosts.cells())
    for fault in faults:
        if fault.strike in OF_STANDBYS and not has_standbys:
            reasons[fault.name] = "no cell has three database hosts (--hosts-per-cell 3)"
        elif fault.strike in OF_CABLES and not hosts.have_cables:
            reasons[fault.name] = "without root, hosts have no cables of their own"
        elif fault.strike is Strike.SLOW and (why := await _cannot_be_slow(hosts)):
            reasons[fault.name] = why
    return reasons


async def _cannot_be_slow(hosts: Hosts) -> str:
    """Why cables cannot be slowed down here; empty if they can."""
    faults, host = HostFaults(hosts.data_dir), hosts.cells()[0].databases[0].name
    try:
        await faults.slow(host, 0)
    except StackError as error:
        with suppress(StackError):
            await faults.mend(host)
        return str(error)
    await faults.mend(host)
    return ""
