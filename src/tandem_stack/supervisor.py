"""Keeps the parts of the stack running, and ends them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tandem_stack.errors import StackError
from tandem_stack.parts import Part
from tandem_stack.processes import Process, how_it_ended, kill_children

# Seconds before a part that died is started again; the last one after each further failure.
PAUSES = (0.4, 0.8, 1.6, 3.2, 6.4, 10.0)
# After so many seconds of life, the failures before are forgotten.
WELL_AFTER = 10.0
# How often a part may fail to get ready before `up` gives up on it.
ATTEMPTS = 3
# What is left of a part's patience when somebody is in a hurry, in seconds.
HURRIED_PATIENCE = 1.0

Report = Callable[[str, str], None]


class Keeper:
    """Keeps one part running: whatever ends it, it is started again, with growing pauses."""

    def __init__(self, part: Part, report: Report, pauses: Sequence[float] = PAUSES) -> None:
        self.part = part
        self._report = report
        self._pauses = pauses
        self._process: Process | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        return self._process.pid if self._process and self._process.exit_code is None else None

    async def start(self) -> None:
        """Start the part, and return when it is ready for the first time; from then on it is kept running.

        Raises:
            StackError: it did not get ready.
            Exception: the same, for a reason that nobody foresaw.
        """
        self._task = asyncio.create_task(self._keep_running())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the part for good. From the moment that `hurry` is set, it has no time left."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is None or self._process.exit_code is not None:
            return
        self._report(self.part.title, "stopping")
        ending = asyncio.create_task(self.part.stop(self._process))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({ending}, timeout=HURRIED_PATIENCE)
        hurried.cancel()
        if not ending.done():
            await self._process.kill()
        went_by_itself = await ending
        self._report(self.part.title, "stopped" if went_by_itself else "killed: it did not stop by itself")

    async def _keep_running(self) -> None:
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            failures += 1
            try:
                await self._run_once()
            except Exception as error:
                if not self._ready.is_set() and failures == ATTEMPTS:
                    raise
                self._report(self.part.title, self._why(error))
            else:
                if asyncio.get_running_loop().time() - began > WELL_AFTER:
                    failures = 0
            await asyncio.sleep(self._pauses[min(max(failures, 1), len(self._pauses)) - 1])

    def _why(self, error: Exception) -> str:
        """What has failed. An error that nobody foresaw is told as well: no part is left alone in silence."""
        if isinstance(error, StackError):
            return str(error).removeprefix(f"{self.part.title} ")
        return f"{type(error).__name__}: {error}; starting it again"

    async def _run_once(self) -> None:
        """Start the part and wait until it ends.

        Raises:
            StackError: it did not get ready.
        """
        self._report(self.part.title, "starting")
        try:
            self._process = Process.start(self.part.program)
        except OSError as error:
            msg = f"{self.part.title} cannot be started: {error}."
            raise StackError(msg) from None
        try:
            # Later on it has all the time it needs: what it waits for may be away as long as it likes.
            first_time = not self._ready.is_set()
            await self.part.until_ready(self._process, self.part.start_patience if first_time else None)
            self._report(self.part.title, "ready")
            self._ready.set()
            exit_code = await self._process.wait()
            self._report(self.part.title, f"{how_it_ended(exit_code)}; starting it again")
        except Exception:
            await self._process.kill()
            raise
        finally:
            if self._process.exit_code is not None:
                # Sessions and workers of a part that died hold its files and its port.
                kill_children(but=Process.running)


async def end_all(groups: Iterable[Iterable[Keeper]], hurry: asyncio.Event, report: Report) -> None:
    """End one group of parts after the other, whatever goes wrong with one of them."""
    for group in groups:
        keepers = list(group)
        endings = await asyncio.gather(*(keeper.stop(hurry) for keeper in keepers), return_exceptions=True)
        for keeper, ending in zip(keepers, endings, strict=True):
            if isinstance(ending, BaseException):
                what = f"could not be ended in order ({type(ending).__name__}: {ending})"
                report(keeper.part.title, what)
