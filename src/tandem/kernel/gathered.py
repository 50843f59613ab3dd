"""Plain handlers, gathered calls: a handler knows one command, what it asks of a port is asked for many.

The handlers of a batch are coroutines that are taken forward by turns, without a task for each. Each goes on
until it awaits a `Gathered` operation; then that operation is carried out once for all who await it, and each
is given its own result. So the batch is the business of the bus and of the port, and nobody else's.
"""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")


class Gathered(Generic[T, R]):
    """A port's operation on one item, made of one on a batch: `await create(user)`.

    The operation on a batch answers one result, or one exception, for each item. It may only be awaited by
    handlers that were registered with `CommandBus.register_gathered`.
    """

    __slots__ = ("carry_out",)

    def __init__(self, carry_out: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]]) -> None:
        self.carry_out = carry_out

    @types.coroutine
    def __call__(self, item: T) -> Generator[tuple["Gathered[T, R]", T], R, R]:
        """Ask for this item; awaiting it gives its result, or raises the error that it alone has."""
        result = yield self, item
        return result


def gathered(
    handler: Callable[[C], Coroutine[Any, Any, R]],
) -> Callable[[Sequence[C]], Awaitable[Sequence[R | BaseException]]]:
    """Make of a handler of one command the handler of a batch that a `Coalescer` wants.

    A command whose handler raises gets that as its result. Where an operation fails for its whole batch, all
    handlers end there and the coalescer does as with any batch: it waits, or halves it, and begins again.
    """

    async def carry_out(commands: Sequence[C]) -> Sequence[R | BaseException]:
        turns = _Turns([handler(command) for command in commands])
        try:
            turns.take(range(len(commands)), [None] * len(commands))
            while turns.asked:
                operation, (places, items) = turns.asked.popitem()
                turns.take(places, await operation.carry_out(items))
        except BaseException:
            turns.close()
            raise
        return turns.results

    return carry_out


class _Turns(Generic[R]):
    """The handlers of one batch, each as far as it has come."""

    def __init__(self, handlers: Sequence[Coroutine[Any, Any, R]]) -> None:
        self._handlers = handlers
        self.results: list[Any] = [None] * len(handlers)
        #: What is asked of each operation: the places of the handlers that do, and the items.
        self.asked: dict[Gathered[Any, Any], tuple[list[int], list[Any]]] = {}

    def take(self, places: Iterable[int], answers: Sequence[Any]) -> None:
        """Give each of these handlers its answer, and let it go on until it asks again or ends.

        Every user comes through here twice, so nothing is called that need not be.
        """
        handlers, results = self._handlers, self.results
        last: object = None
        for place, answer in zip(places, answers, strict=True):
            try:
                if isinstance(answer, BaseException):
                    asked = handlers[place].throw(answer)
                else:
                    asked = handlers[place].send(answer)
            except StopIteration as end:
                results[place] = end.value
                continue
            except Exception as error:
                results[place] = error
                continue
            if type(asked) is not tuple:
                msg = f"A gathered handler awaited {asked!r}; it may only await Gathered operations."
                raise TypeError(msg)
            operation, item = asked
            if operation is not last:
                last = operation
                asking, asked_for = self.asked.setdefault(operation, ([], []))
            asking.append(place)
            asked_for.append(item)

    def close(self) -> None:
        """End all that have not ended."""
        for handler in self._handlers:
            handler.close()
