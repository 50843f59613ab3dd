"""The command bus: dispatch is one table, from a command's type to its one handler."""

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from tandem.kernel.coalescer import BatchPolicy, Coalescer
from tandem.kernel.errors import NoHandler
from tandem.kernel.gathered import gathered
from tandem.kernel.messages import Command

R = TypeVar("R")
C = TypeVar("C", bound=Command[Any])


class CommandBus:
    """Sends each command to its one handler.

    A handler takes one command (`register`). Where many commands arrive together, the calls that their
    handlers make on a port can be made once for all of them (`register_gathered`), or a handler takes a whole
    batch (`register_coalesced`). The sender of a command cannot tell the difference.
    """

    def __init__(self) -> None:
        self._coalescers: dict[type[Command[Any]], Coalescer[Any, Any]] = {}

    def register(
        self, command_type: type[C], handler: Callable[[C], Awaitable[Any]], policy: BatchPolicy | None = None
    ) -> Coalescer[C, Any]:
        """Let `handler` carry out commands of exactly this type, one per call."""

        async def one_by_one(commands: Sequence[C]) -> Sequence[Any]:
            return [await handler(command) for command in commands]

        alone = policy or BatchPolicy(max_batch=1, max_in_flight=64)
        return self.register_coalesced(command_type, one_by_one, alone)

    def register_gathered(
        self,
        command_type: type[C],
        handler: Callable[[C], Coroutine[Any, Any, Any]],
        policy: BatchPolicy | None = None,
    ) -> Coalescer[C, Any]:
        """Let `handler` carry out commands of exactly this type: one per call, the calls of a batch by turns.

        It may await nothing but operations that are `Gathered`; each is carried out once for the batch.

        Raises:
            ValueError: the type has a handler already.
        """
        return self.register_coalesced(command_type, gathered(handler), policy)

    def register_coalesced(
        self,
        command_type: type[C],
        handler: Callable[[Sequence[C]], Awaitable[Sequence[Any]]],
        policy: BatchPolicy | None = None,
    ) -> Coalescer[C, Any]:
        """Let `handler` carry out commands of exactly this type, a whole batch per call.

        It returns one result for each command, in their order; see `Coalescer` for its contract.

        Raises:
            ValueError: the type has a handler already.
        """
        if command_type in self._coalescers:
            msg = f"{command_type.__name__} has a handler already; a command has exactly one."
            raise ValueError(msg)
        coalescer = Coalescer(command_type.__name__, handler, policy)
        self._coalescers[command_type] = coalescer
        return coalescer

    async def execute(self, command: Command[R]) -> R:
        """Send `command` and wait for its result.

        Raises:
            NoHandler: no handler is registered for this type.
            Overloaded: too many are waiting; nothing was done.
            Exception: whatever its handler raised for it.
        """
        result: R = await self._coalescer_of(command).submit(command)
        return result

    def dispatch(self, command: Command[Any]) -> bool:
        """Send `command` without waiting for its result. False if there was no room: it was not taken.

        Raises:
            NoHandler: no handler is registered for this type.
        """
        return self._coalescer_of(command).offer(command)

    @property
    def coalescers(self) -> Sequence[Coalescer[Any, Any]]:
        """All coalescers, in the order of registration: for metrics and the orderly stop."""
        return list(self._coalescers.values())

    async def drain(self, within: timedelta) -> bool:
        """Finish what was taken, in the order of registration. False if some was left when time was up.

        All share the time: later ones get what is left of it.
        """
        deadline = time.monotonic() + within.total_seconds()
        finished = [
            await coalescer.drain(timedelta(seconds=deadline - time.monotonic()))
            for coalescer in self._coalescers.values()
        ]
        return all(finished)

    def _coalescer_of(self, command: Command[Any]) -> Coalescer[Any, Any]:
        try:
            return self._coalescers[type(command)]
        except KeyError:
            msg = f"No handler is registered for {type(command).__name__}."
            raise NoHandler(msg) from None
