"""Faults of hosts, for the lab and for tests: what another process may let happen to a running stack.

Each waits until it has happened. Without root hosts have no cables: then all but `kill` and `boot` raise.
"""

from dataclasses import dataclass
from pathlib import Path

from tandem_stack.hosts import control


@dataclass(frozen=True)
class HostFaults:
    """Faults of the stack that runs on this data folder. A host is named as in its status.

    Each may raise:
        StackError: there is no such host, or it cannot be done here; says what is needed.
    """

    data_dir: Path

    async def kill(self, host: str) -> None:
        """Let a host lose its power: every process ends at once, and none is started again before `boot`."""
        await control.ask(self.data_dir, "kill", host)

    async def boot(self, host: str) -> None:
        """Give it power again. Its services are being started then; they may take a while to be ready."""
        await control.ask(self.data_dir, "boot", host)

    async def cut(self, host: str) -> None:
        """Pull a host's cable: it goes on, alone."""
        await control.ask(self.data_dir, "cut", host)

    async def isolate(self, host: str) -> None:
        """Let nothing pass between a database host and the others of its cell. Instances reach all."""
        await control.ask(self.data_dir, "isolate", host)

    async def slow(
        self, host: str, delay_ms: float, jitter_ms: float = 0.0, loss_percent: float = 0.0
    ) -> None:
        """Let each packet from and to a host take so much longer; some get lost."""
        await control.ask(self.data_dir, "slow", host, delay_ms, jitter_ms, loss_percent)

    async def mend(self, host: str) -> None:
        """Undo `cut`, `isolate` and `slow`."""
        await control.ask(self.data_dir, "mend", host)
