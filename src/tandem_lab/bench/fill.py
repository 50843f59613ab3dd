"""Filling the tables before a measurement, over HTTP, in chunks that fit into memory."""

import time

import msgspec

from tandem_lab.bench.cleanup import clean_up
from tandem_lab.bench.generator import Plan
from tandem_lab.bench.load import Load, generate, plan_of
from tandem_lab.bench.measure import until_drained
from tandem_lab.bench.probe import Probe

#: About how many a second there are, to tell how long it will take.
USERS_A_SECOND = 8_000
USERS_A_CHUNK = 50_000
CONNECTIONS = 200
# A chunk ends when all of its users are answered; this only bounds it.
LONGEST_CHUNK_SECONDS = 300.0


async def fill(probe: Probe, url: str, users: int) -> None:
    """Create this many different users, wait until all are synchronized, and tidy the tables up.

    Raises:
        GeneratorFailed, NotDrained: the load was not carried out, or its users did not arrive.
    """
    load = Load(LONGEST_CHUNK_SECONDS, CONNECTIONS)
    for first in range(0, users, USERS_A_CHUNK):
        seed = f"lab-fill-{time.time_ns()}"
        await generate(_chunk(url, load, seed, min(USERS_A_CHUNK, users - first)))
        await until_drained(probe, seed)
    await clean_up(probe.running)


def _chunk(url: str, load: Load, seed: str, users: int) -> Plan:
    return msgspec.structs.replace(plan_of(url, load, seed=seed), requests=users)
