"""A service of the stack, as the supervisor needs it."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tandem_stack.errors import StackError
from tandem_stack.processes import Process, Program, how_it_ended
from tandem_stack.waiting import until


@dataclass(frozen=True, kw_only=True)
class Service:
    """A server or an instance: how it is started, how it is checked, and how it is ended."""

    name: str
    title: str
    program: Program
    is_ready: Callable[[], Awaitable[bool]]
    #: Whether it says anything at all, asked again and again while it runs; None: it is not asked.
    answers: Callable[[], Awaitable[bool]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_patience_seconds: float = 30  # then it is killed
    start_patience_seconds: float = 60  # a process that is not ready by then is given up

    async def until_ready(self, process: Process, patience_seconds: float | None) -> None:
        """Wait until the service answers, for at most `patience_seconds` (None: without a limit).

        Raises:
            StackError: it ended, or did not answer; names its log.
        """

        async def is_ready_or_gone() -> bool:
            return process.exit_code is not None or await self.is_ready()

        if not await until(is_ready_or_gone, patience_seconds):
            what = f"was not ready after {patience_seconds:.0f} s"
        elif process.exit_code is not None:
            what = f"{how_it_ended(process.exit_code)} while starting"
        else:
            return
        raise failure(f"{self.title} {what}", self.program)

    async def stop(self, process: Process) -> bool:
        """Ask it to end, and kill it if it does not. Returns whether it ended by itself."""
        return await process.stop(self.stop_signal, self.stop_patience_seconds)


def failure(what: str, program: Program) -> StackError:
    """The error for a program that failed: what happened, and the log with the reason."""
    with program.log.open("rb") as log:
        log.seek(max(0, program.log.stat().st_size - 10_000))
        if b"No space left on device" in log.read():
            what += f" because the disk of {program.folder} is full. Free some space, and start again"
    return StackError(f"{what}. The reason is at the end of {program.log}.")
