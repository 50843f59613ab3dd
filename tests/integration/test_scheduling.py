"""How an instance gets its share of the processors."""

import os
from pathlib import Path


async def test_an_instance_takes_no_core_from_who_wakes_it(serve):
    served = await serve("A")
    threads = [int(task.name) for task in Path(f"/proc/{served.process.pid}/task").iterdir()]
    assert len(threads) > 1
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}
