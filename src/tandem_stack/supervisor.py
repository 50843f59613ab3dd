"""Keeps the services of the stack running, and ends them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tandem_stack.errors import StackError
from tandem_stack.processes import Process, how_it_ended, kill_children, reap
from tandem_stack.services import Service

# The pauses before a service that died is started again. The last one is for all further failures.
PAUSES_SECONDS = (0.4, 0.8, 1.6, 3.2, 6.4, 10.0)
# When a service has run for this long, its earlier failures do not count any more.
WELL_AFTER_SECONDS = 10.0
# How often a service may fail to become ready before `tandem up` gives up.
ATTEMPTS = 3
# How often a service that is ready is asked again, and for how long it may say nothing before that is told.
SECONDS_BETWEEN_QUESTIONS = 1.0
SILENT_SECONDS = 3.0
# How long a service may still take to stop after the second Ctrl-C.
HURRIED_SECONDS = 1.0

Report = Callable[[str, str], None]


class Supervisor:
    """Keeps one service running: if it ends, it is started again, after growing pauses."""

    def __init__(
        self, service: Service, report: Report, pauses_seconds: Sequence[float] = PAUSES_SECONDS
    ) -> None:
        self.service = service
        #: How often it was started again.
        self.restarts = 0
        self._report = report
        self._pauses_seconds = pauses_seconds
        self._process: Process | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        return self._process.pid if self._process and self._process.exit_code is None else None

    async def start(self) -> None:
        """Start the service and keep it running. Returns when it is ready for the first time.

        Raises:
            StackError: it did not become ready.
            Exception: the same, for an unexpected reason.
        """
        self._task = asyncio.create_task(self._keep_running())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the service for good. When `hurry` is set, it has only `HURRIED_SECONDS` left."""
        await self.let_go()
        if self._process is None or self._process.exit_code is not None:
            return
        self._report(self.service.title, "stopping")
        ending = asyncio.create_task(self.service.stop(self._process))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({ending}, timeout=HURRIED_SECONDS)
        hurried.cancel()
        if not ending.done():
            await self._process.kill()
        went_by_itself = await ending
        self._report(self.service.title, "stopped" if went_by_itself else "killed: it did not stop by itself")

    async def let_go(self) -> None:
        """Do not start the service again when it ends, until `resume`."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def kill(self) -> None:
        """End the process at once. After `let_go` it stays down."""
        if self._process:
            await self._process.kill()

    def resume(self) -> None:
        """Start the service again, and keep it running; however long it may take to be ready."""
        self._task = asyncio.create_task(self._keep_running())

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
                if asyncio.get_running_loop().time() - began > WELL_AFTER_SECONDS:
                    failures = 0
            self.restarts += 1
            last = len(self._pauses_seconds)
            await asyncio.sleep(self._pauses_seconds[min(max(failures, 1), last) - 1])

    def _why(self, error: Exception) -> str:
        """What has failed, for the display. An unexpected error is shown with its type."""
        if isinstance(error, StackError):
            return str(error).removeprefix(f"{self.service.title} ")
        return f"{type(error).__name__}: {error}; starting it again"

    async def _run_once(self) -> None:
        """Start the service and wait until it ends.

        Raises:
            StackError: it did not become ready.
        """
        self._report(self.service.title, "starting")
        try:
            self._process = Process.start(self.service.program)
        except OSError as error:
            msg = f"{self.service.title} cannot be started: {error}."
            raise StackError(msg) from None
        try:
            # Only the first start has a limit: later on, what the service waits for may be away for any time.
            first_time = not self._ready.is_set()
            patience_seconds = self.service.start_patience_seconds if first_time else None
            await self.service.until_ready(self._process, patience_seconds)
            self._report(self.service.title, "ready")
            self._ready.set()
            exit_code = await self._until_it_ends(self._process)
            self._report(self.service.title, f"{how_it_ended(exit_code)}; starting it again")
        except Exception:
            await self._process.kill()
            raise
        finally:
            if self._process.exit_code is not None:
                # Sessions and workers of a service that died still have its files and its port open.
                kill_children(but=Process.running, below=self.service.program.folder)
                reap(but=Process.running)

    async def _until_it_ends(self, process: Process) -> int:
        """Wait until it ends; returns the exit code. Tell when it does not answer, and when it does again."""
        ending, loop = asyncio.create_task(process.wait()), asyncio.get_running_loop()
        last, is_silent = loop.time(), False
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=SECONDS_BETWEEN_QUESTIONS)
                answers = self.service.answers is None or await self.service.answers()
                silent_seconds = loop.time() - last
                if ending.done() or (not answers and (is_silent or silent_seconds < SILENT_SECONDS)):
                    continue
                if is_silent or not answers:
                    how = f"answers again, after {silent_seconds:.0f} s" if answers else "does not answer"
                    self._report(self.service.title, how)
                is_silent = not answers
                last = loop.time() if answers else last
            return ending.result()
        finally:
            ending.cancel()


async def end_all(groups: Iterable[Iterable[Supervisor]], hurry: asyncio.Event, report: Report) -> None:
    """End one group of services after the other, even if one of them fails."""
    for group in groups:
        supervisors = list(group)
        endings = await asyncio.gather(
            *(supervisor.stop(hurry) for supervisor in supervisors), return_exceptions=True
        )
        for supervisor, ending in zip(supervisors, endings, strict=True):
            if isinstance(ending, BaseException):
                what = f"could not be ended in order ({type(ending).__name__}: {ending})"
                report(supervisor.service.title, what)
