"""Work that ends early when something else happens first."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unless(work: Coroutine[Any, Any, T], *others: Coroutine[Any, Any, Any]) -> asyncio.Future[T] | None:
    """Carry out `work`, and return its task when that has ended.

    If one of `others` ends first, `work` is cancelled, and None is returned.
    """
    task = asyncio.ensure_future(work)
    tasks = [task, *map(asyncio.ensure_future, others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return task if task.done() else None
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
