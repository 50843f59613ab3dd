"""Plain handlers, gathered calls: a handler knows one command, and its calls on a port are made for a batch.

The handlers of a batch are coroutines that are run by turns, without a task for each. Each one runs until it
awaits a `Gathered` operation. Then that operation is carried out once for all handlers that await it, and
each gets its own result. So only the bus and the port know about batches.
"""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")


class Gathered(Generic[T, R]):
    """A port's operation on one item, made of one on a batch: `await create(user)`.

    The operation on a batch returns one result, or one exception, for each item. Only handlers that were
    registered with `CommandBus.register_gathered` may await this one.
    """

    __slots__ = ("carry_out",)

    def __init__(self, carry_out: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]]) -> None:
        self.carry_out = carry_out

    @types.coroutine
    def __call__(self, item: T) -> Generator[tuple["Gathered[T, R]", T], R, R]:
        """Ask for this item. Awaiting that gives its result, or raises its error."""
        result = yield self, item
        return result


def gathered(
    handler: Callable[[C], Coroutine[Any, Any, R]],
) -> Callable[[Sequence[C]], Awaitable[Sequence[R | BaseException]]]:
    """Turn the handler of one command into the handler of a batch that a `Coalescer` needs.

    A command whose handler raises gets that as its result. If an operation fails for its whole batch, all
    handlers end there. Then the coalescer does as with any batch: it waits, or halves it, and begins again.
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
        #: Operation to the places of the handlers that have asked for it, and the items that they gave.
        self.asked: dict[Gathered[Any, Any], tuple[list[int], list[Any]]] = {}

    def take(self, places: Iterable[int], answers: Sequence[Any]) -> None:
        """Give each of these handlers its answer, and run it until it asks again or ends.

        Every user passes here twice, so nothing is called without need.
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
