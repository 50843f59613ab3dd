"""Instances in this process that can be held up at any step of the flow, frozen, and crashed."""

import asyncio
from collections.abc import Callable

from tandem.app import Instance, run_instance
from tandem.config import Settings

# Each step: whose method it is, its name, and whether it is held up before or after it was done.
STEPS: dict[str, tuple[Callable[[Instance], object], str, bool]] = {
    "before the commit": (lambda instance: instance.repository, "create", False),
    "after the commit": (lambda instance: instance.repository, "create", True),
    "before MongoDB": (lambda instance: instance.query_service, "create", False),
    "after MongoDB": (lambda instance: instance.query_service, "create", True),
    "before the write-back": (lambda instance: instance.repository, "synchronize", False),
    "after the write-back": (lambda instance: instance.repository, "synchronize", True),
}


class Life:
    """One life of an instance. A step that is held up waits until `go_on`, or for ever."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._end = asyncio.Event()
        self._passable = asyncio.Event()
        self._passable.set()
        self.instance: Instance

    async def begin(self) -> None:
        """Return when it works."""
        started: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(started))
        self.instance = await started

    def hold_up(self, step: str) -> None:
        """Let whatever comes to this step wait there."""
        owner_of, name, afterwards = STEPS[step]
        self._hold_up(owner_of(self.instance), name, afterwards=afterwards)

    def freeze(self, step: str) -> None:
        """Stop its background services as well, as SIGSTOP would."""
        self.hold_up(step)
        self._hold_up(self.instance.lease, "renew", afterwards=False)
        self._hold_up(self.instance.recovery, "run_once", afterwards=False)

    def go_on(self) -> None:
        """Hold nothing up any more."""
        self._passable.set()

    async def crash(self) -> None:
        """End as `kill -9` does: nothing is finished, the lease is not given back."""

        async def drop_everything() -> None:
            for coalescer in self.instance.coalescers:
                coalescer.stop()

        self.instance.finish = drop_everything  # type: ignore[method-assign]
        self.instance.lease.end = drop_everything  # type: ignore[method-assign]
        await self.stop()

    async def stop(self) -> None:
        """End in order."""
        self._end.set()
        await self._task

    async def _live(self, started: "asyncio.Future[Instance]") -> None:
        async with run_instance(self._settings) as instance:
            started.set_result(instance)
            await self._end.wait()

    def _hold_up(self, owner: object, name: str, *, afterwards: bool) -> None:
        self._passable.clear()
        original = getattr(owner, name)

        async def held(*arguments, **named):
            if not afterwards:
                await self._passable.wait()
                return await original(*arguments, **named)
            result = await original(*arguments, **named)
            await self._passable.wait()
            return result

        setattr(owner, name, held)
