"""Waiting ends when it has to, also where a driver swallows a cancellation, as PyMongo does now and then."""

import asyncio

from tandem_lab.meanwhile import meanwhile
from tandem_stack.waiting import until

FOR_EVER = 3600


class Swallowing:
    """Something to ask that swallows the first cancellation."""

    def __init__(self) -> None:
        self.swallowed = False

    async def ask(self) -> bool:
        try:
            await asyncio.sleep(0.01 if self.swallowed else FOR_EVER)
        except asyncio.CancelledError:
            if self.swallowed:
                raise
            self.swallowed = True
        return False


async def test_the_time_is_up_although_a_cancellation_was_swallowed():
    asked = Swallowing()
    async with asyncio.timeout(20):
        assert not await until(asked.ask, 0.01)
    assert asked.swallowed


async def test_who_waits_can_be_cancelled_although_a_cancellation_was_swallowed():
    asked = Swallowing()
    waiting = asyncio.create_task(until(asked.ask, None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=20)
    assert waiting.cancelled()
    assert asked.swallowed


async def test_waiting_works_while_one_is_being_cancelled():
    async def work() -> bool:
        try:
            await asyncio.sleep(FOR_EVER)
        except asyncio.CancelledError:
            answers = iter([False, True])

            async def condition() -> bool:
                return next(answers)

            return await until(condition, 5)
        return False

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task


async def test_what_goes_on_meanwhile_ends_although_a_cancellation_was_swallowed():
    asked = Swallowing()

    async def keep_asking() -> None:
        while True:
            await asked.ask()

    async with asyncio.timeout(20):
        async with meanwhile(keep_asking()):
            await asyncio.sleep(0)
    assert asked.swallowed
