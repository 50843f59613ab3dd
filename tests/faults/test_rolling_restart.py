"""All instances of a stack are restarted in turn under load, and no client notices."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from pymongo import AsyncMongoClient

from ledger import Load, check_agreement
from systems import System
from tandem_stack.status import InstanceStatus, Status, read_status
from up_process import Up, run_up
from waiting import until

USERS_BETWEEN = 150


@pytest.fixture
def stack(new_place: Callable[[], Path]) -> Iterator[Up]:
    """What `tandem up` starts, with three instances."""
    with run_up(new_place() / "rolling", "--instances", "3") as running:
        yield running


def status_of(stack: Up) -> Status:
    status = read_status(stack.data_dir)
    assert status is not None
    return status


async def restart(stack: Up, before: InstanceStatus) -> None:
    """End an instance in order, and wait until its successor is ready."""
    assert before.pid is not None
    os.kill(before.pid, signal.SIGTERM)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{before.port}") as client:

        async def is_back() -> bool:
            (now,) = [one for one in status_of(stack).instances if one.app_id == before.app_id]
            if now.pid in (None, before.pid):
                return False
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_back, f"{before.app_id} is back")


@pytest.mark.slow
async def test_a_rolling_restart_under_load_shows_clients_no_error_and_loses_nothing(stack):
    status = status_of(stack)
    assert len(status.instances) == 3
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client, Load([client]) as load:
        for instance in status.instances:
            await load.until_more(USERS_BETWEEN)
            await restart(stack, instance)
        await load.until_more(USERS_BETWEEN)
        load.enough()
    assert load.troubles == []
    system = System(None, await asyncpg.connect(status.postgres.url), AsyncMongoClient(status.mongodb.url))
    await system.until_synchronized(len(load.acknowledged))
    await check_agreement(system, load.acknowledged)
    await system.postgres.close()
    await system.mongodb.close()
