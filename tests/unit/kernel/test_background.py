"""Background services outlive their faults."""

import asyncio
import contextlib
import logging

from tandem.kernel import Unavailable, keep_running


async def test_a_round_that_fails_is_told_and_the_next_one_comes(monkeypatch, caplog):
    monkeypatch.setattr("tandem.kernel.background.AFTER_FAILURE_SECONDS", 0)
    faults = iter([RuntimeError("broken"), Unavailable("away"), None])
    recovered = asyncio.Event()

    async def run_once() -> float:
        if fault := next(faults):
            raise fault
        recovered.set()
        return 60

    with caplog.at_level(logging.WARNING):
        service = asyncio.create_task(keep_running("test", run_once))
        await asyncio.wait_for(recovered.wait(), 5)
    service.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await service
    assert "broken" in caplog.text
    assert "away" not in caplog.text


async def test_it_ends_although_the_cancellation_became_another_error():
    begun = asyncio.Event()

    async def run_once() -> float:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("the driver's way to say that it was cancelled") from None
        return 0

    service = asyncio.create_task(keep_running("test", run_once))
    await begun.wait()
    service.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(service, 5)
    assert service.done()
