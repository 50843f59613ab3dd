"""Reactions as they are called where instances die: from their beginning, again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from tandem.aggregates.definition import Happened, Reach, Reaction

Do = Callable[[Happened, Reach], Awaitable[None]]


class _Died(asyncio.CancelledError):
    """The instance that carries out a reaction ends here. No code of an author catches it as an error."""


class _Dying:
    """A `Reach` whose instance dies once it has carried out so many commands."""

    def __init__(self, reach: Reach, most: int) -> None:
        self._reach = reach
        self._most = most
        self.sent = 0
        self.exists, self.find, self.ids = reach.exists, reach.find, reach.ids

    async def send(self, kind: str, id_: int | None, command: Any) -> int:
        """See `Reach.send`."""
        try:
            return await self._reach.send(kind, id_, command)
        finally:
            self.sent += 1
            if self.sent == self._most:
                raise _Died


class _Repeated:
    """A reaction whose instance dies after its first command, its second, its fourth, ..., and at its end."""

    def __init__(self, do: Do) -> None:
        self._do = do
        # After how many commands the next instance dies, by the event; None: it lives.
        self._next: dict[tuple[str, int, int, str], int | None] = {}

    async def __call__(self, happened: Happened, reach: Reach) -> None:
        event = (happened.kind, happened.id, happened.version, happened.type)
        most = self._next.get(event, 1)
        if most is None:
            await self._do(happened, reach)
            return
        dying = _Dying(reach, most)
        self._next[event] = 2 * most
        await self._do(happened, dying)
        if dying.sent < most:
            self._next[event] = None
        raise _Died


def repeated(reactions: Mapping[str, Reaction]) -> dict[str, Reaction]:
    """The same, called as if instances died under them."""
    return {name: replace(reaction, do=_Repeated(reaction.do)) for name, reaction in reactions.items()}


def remembering_errors(
    reactions: Mapping[str, Reaction], errors: dict[str, Exception]
) -> dict[str, Reaction]:
    """The same, with the last error of each put down in `errors`, by its name."""

    def remembering(name: str, do: Do) -> Do:
        async def remember(happened: Happened, reach: Reach) -> None:
            try:
                await do(happened, reach)
            except Exception as error:
                errors[name] = error
                raise

        return remember

    return {name: replace(each, do=remembering(name, each.do)) for name, each in reactions.items()}
