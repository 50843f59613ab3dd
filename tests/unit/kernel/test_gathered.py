"""Plain handlers whose calls of a port are gathered."""

import asyncio
import logging
from datetime import timedelta

import pytest

from tandem.kernel import Backoff, BatchPolicy, Command, CommandBus, Gathered, Unavailable


class Double(Command[int], frozen=True):
    number: int


class Shop:
    """A port that can be asked for one thing, and is asked for many."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.prices: list[list[int]] = []
        self.double = Gathered(self._double)
        self.price = Gathered(self._price)
        self.failures: list[Exception] = []

    async def _double(self, numbers):
        self.batches.append(list(numbers))
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return [ValueError(f"{number} is odd") if number % 2 else number * 2 for number in numbers]

    async def _price(self, numbers):
        self.prices.append(list(numbers))
        return [number + 0.5 for number in numbers]


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def send(handler, *numbers, policy=None):
    """Send commands together; their results and errors."""
    bus = CommandBus()
    bus.register_gathered(Double, handler, policy)
    sent = [bus.execute(Double(number)) for number in numbers]
    async with asyncio.timeout(10):
        return await asyncio.gather(*sent, return_exceptions=True)


async def test_each_handler_gets_its_own_result_and_the_port_is_asked_once(shop):
    async def handle(command: Double) -> str:
        return f"{command.number}: {await shop.double(command.number)}"

    assert await send(handle, 2, 4, 6) == ["2: 4", "4: 8", "6: 12"]
    assert shop.batches == [[2, 4, 6]]


async def test_an_error_of_one_item_is_raised_in_its_handler_alone(shop):
    async def handle(command: Double) -> int:
        try:
            return await shop.double(command.number)
        except ValueError:
            if command.number == 5:
                return -1
            raise

    first, second, third = await send(handle, 2, 3, 5)
    assert (first, third) == (4, -1)
    assert isinstance(second, ValueError)
    assert str(second) == "3 is odd"
    assert len(shop.batches) == 1


async def test_handlers_may_ask_again_and_not_all_the_same(shop):
    async def handle(command: Double) -> float:
        if command.number == 1:
            return 0
        if command.number == 2:
            return await shop.price(2)
        return await shop.price(await shop.double(command.number))

    assert await send(handle, 1, 2, 4, 6) == [0, 2.5, 8.5, 12.5]
    assert shop.batches == [[4, 6]]
    assert sorted(price for batch in shop.prices for price in batch) == [2, 8, 12]


async def test_a_handler_that_fails_before_it_asks_fails_alone(shop):
    async def handle(command: Double) -> int:
        if command.number == 3:
            raise LookupError
        return await shop.double(command.number)

    first, second = await send(handle, 3, 4)
    assert isinstance(first, LookupError)
    assert second == 8


async def test_a_batch_that_fails_as_a_whole_is_begun_again_or_halved(shop):
    ended = []

    async def handle(command: Double) -> int:
        try:
            return await shop.double(command.number)
        except Exception:
            pytest.fail("what fails for the batch is the coalescer's business")
        finally:
            ended.append(command.number)

    retry = BatchPolicy(retry=Backoff(timedelta(milliseconds=1), timedelta(milliseconds=1)))
    shop.failures = [Unavailable("closed")]
    assert await send(handle, 2, 4, policy=retry) == [4, 8]
    assert shop.batches == [[2, 4], [2, 4]]
    assert sorted(ended) == [2, 2, 4, 4]

    shop.batches.clear()
    shop.failures = [RuntimeError("too many"), RuntimeError("the second")]
    first, second = await send(handle, 2, 4)
    assert isinstance(first, RuntimeError)
    assert second == 8
    assert shop.batches == [[2, 4], [2], [4]]


async def test_a_handler_that_awaits_something_else_is_told_what_it_may_await():
    async def handle(command: Double) -> None:
        await asyncio.sleep(0.001 * command.number)

    (error,) = await send(handle, 1)
    assert isinstance(error, TypeError)
    assert "may only await Gathered operations" in str(error)


async def test_what_was_dispatched_and_fails_is_logged(shop, caplog):
    async def handle(command: Double) -> int:
        return await shop.double(command.number)

    bus = CommandBus()
    bus.register_gathered(Double, handle)
    with caplog.at_level(logging.ERROR):
        bus.dispatch(Double(3))
        assert await bus.drain(timedelta(seconds=5))
    assert "3 is odd" in caplog.text
