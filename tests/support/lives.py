"""Instances in this process that can be held up at any step of the flow, frozen, and crashed."""

import asyncio
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any

from tandem.app import Adapters, Instance, run_instance
from tandem.config import Settings

# Each step: which adapter does it, by which method, and whether it is held up before or after it was done.
STEPS = {
    "before the commit": ("users", "create", False),
    "after the commit": ("users", "create", True),
    "before MongoDB": ("documents", "write", False),
    "after MongoDB": ("documents", "write", True),
    "before a change": ("users", "change", False),
    "after a change": ("users", "change", True),
    "before MongoDB has a change": ("documents", "write_later_versions", False),
    "after MongoDB has a change": ("documents", "write_later_versions", True),
    "before the write-back": ("users", "synchronize", False),
    "after the write-back": ("users", "synchronize", True),
}
# What an instance does in the background: it stops when all of it is frozen.
BACKGROUND = (("lease", "renew", False), ("pending", "claim", False))


class Steps:
    """An adapter whose steps wait where the life that it belongs to is held up."""

    def __init__(self, life: "Life", name: str, adapter: Any) -> None:
        self._life = life
        self._name = name
        self._adapter = adapter

    def __getattr__(self, method: str) -> Any:
        original = getattr(self._adapter, method)
        if not iscoroutinefunction(original):
            return original

        async def step(*arguments: Any, **named: Any) -> Any:
            await self._life.wait_at((self._name, method, False))
            if self._life.crashed:
                return None
            result = await original(*arguments, **named)
            await self._life.wait_at((self._name, method, True))
            return result

        return step


class Life:
    """One life of an instance. A step that is held up waits until `go_on`, or for ever."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._end = asyncio.Event()
        self._passable = asyncio.Event()
        self._held_up: set[tuple[str, str, bool]] = set()
        self.crashed = False
        self.instance: Instance

    async def begin(self) -> None:
        """Return when it works."""
        started: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(started))
        self.instance = await started

    def hold_up(self, step: str) -> None:
        """Let whatever comes to this step wait there."""
        self._passable.clear()
        self._held_up.add(STEPS[step])

    def freeze(self, step: str) -> None:
        """Stop its background services as well, as SIGSTOP would."""
        self.hold_up(step)
        self._held_up.update(BACKGROUND)

    def go_on(self) -> None:
        """Hold nothing up any more."""
        self._held_up.clear()
        self._passable.set()

    async def wait_at(self, step: tuple[str, str, bool]) -> None:
        """Wait where this step is held up."""
        if step in self._held_up:
            await self._passable.wait()

    async def crash(self) -> None:
        """End as `kill -9` does: nothing more is done, and the lease is not given back."""
        self.crashed = True
        self.instance.flow.stop()
        await self.stop()

    async def stop(self) -> None:
        """End in order."""
        self._end.set()
        await self._task

    async def _live(self, started: "asyncio.Future[Instance]") -> None:
        async with run_instance(self._settings, self._adapted) as instance:
            started.set_result(instance)
            await self._end.wait()

    def _adapted(self, adapters: Adapters) -> Adapters:
        names = ("users", "documents", "pending", "lease")
        return replace(adapters, **{name: Steps(self, name, getattr(adapters, name)) for name in names})
