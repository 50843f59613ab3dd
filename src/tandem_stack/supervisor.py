"""Keeps the services of the stack running, and ends them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tandem_stack.errors import StackError
from tandem_stack.processes import Process, how_it_ended, kill_children
from tandem_stack.services import Service

# Seconds before a service that died is started again; the last one after each further failure.
PAUSES = (0.4, 0.8, 1.6, 3.2, 6.4, 10.0)
# After so many seconds of life, the failures before are forgotten.
WELL_AFTER = 10.0
# How often a service may fail to get ready before `up` gives up on it.
ATTEMPTS = 3
# What is left of a service's patience when somebody is in a hurry, in seconds.
HURRIED_PATIENCE = 1.0

Report = Callable[[str, str], None]


class Supervisor:
    """Keeps one service running: whatever ends it, it is started again, with growing pauses."""

    def __init__(self, service: Service, report: Report, pauses: Sequence[float] = PAUSES) -> None:
        self.service = service
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
        """Start the service, and return when it is ready for the first time; from then on it is kept running.

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
        """End the service for good. From the moment that `hurry` is set, it has no time left."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is None or self._process.exit_code is not None:
            return
        self._report(self.service.title, "stopping")
        ending = asyncio.create_task(self.service.stop(self._process))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({ending}, timeout=HURRIED_PATIENCE)
        hurried.cancel()
        if not ending.done():
            await self._process.kill()
        went_by_itself = await ending
        self._report(self.service.title, "stopped" if went_by_itself else "killed: it did not stop by itself")

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
                self._report(self.service.title, self._why(error))
            else:
                if asyncio.get_running_loop().time() - began > WELL_AFTER:
                    failures = 0
            await asyncio.sleep(self._pauses[min(max(failures, 1), len(self._pauses)) - 1])

    def _why(self, error: Exception) -> str:
        """What has failed, for the display; of an error that nobody foresaw its type, too."""
        if isinstance(error, StackError):
            return str(error).removeprefix(f"{self.service.title} ")
        return f"{type(error).__name__}: {error}; starting it again"

    async def _run_once(self) -> None:
        """Start the service and wait until it ends.

        Raises:
            StackError: it did not get ready.
        """
        self._report(self.service.title, "starting")
        try:
            self._process = Process.start(self.service.program)
        except OSError as error:
            msg = f"{self.service.title} cannot be started: {error}."
            raise StackError(msg) from None
        try:
            # Later on it has all the time it needs: what it waits for may be away as long as it likes.
            first_time = not self._ready.is_set()
            await self.service.until_ready(self._process, self.service.start_patience if first_time else None)
            self._report(self.service.title, "ready")
            self._ready.set()
            exit_code = await self._process.wait()
            self._report(self.service.title, f"{how_it_ended(exit_code)}; starting it again")
        except Exception:
            await self._process.kill()
            raise
        finally:
            if self._process.exit_code is not None:
                # Sessions and workers of a service that died hold its files and its port.
                kill_children(but=Process.running)


async def end_all(groups: Iterable[Iterable[Supervisor]], hurry: asyncio.Event, report: Report) -> None:
    """End one group of services after the other, whatever goes wrong with one of them."""
    for group in groups:
        supervisors = list(group)
        endings = await asyncio.gather(
            *(supervisor.stop(hurry) for supervisor in supervisors), return_exceptions=True
        )
        for supervisor, ending in zip(supervisors, endings, strict=True):
            if isinstance(ending, BaseException):
                what = f"could not be ended in order ({type(ending).__name__}: {ending})"
                report(supervisor.service.title, what)
