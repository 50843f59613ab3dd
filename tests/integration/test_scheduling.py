"""How an instance gets its share of the processors."""

import os

import psutil


async def test_an_instance_takes_no_core_from_who_wakes_it(serve):
    served = await serve("A")
    threads = [thread.id for thread in psutil.Process(served.process.pid).threads()]
    assert len(threads) > 1
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}
