"""What is proved of cells beyond the comparison: both stores equal, and read as they were acknowledged.

The comparison knows the users of its run only. `tandem verify` compares all that each cell has, and reads go
through the load balancer, which does not know where a user is: any instance of any cell may answer.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import aiohttp
import msgspec

from tandem_lab.errors import LabError
from tandem_lab.proof.commands import ENDS
from tandem_lab.proof.ledger import read_ledger
from tandem_lab.proof.stack import Cell, System
from tandem_lab.proof.verdict import Counts, Failure, FaultReport

QUERY_PATH = "/api/v1/user-query"
READS = 500
# A read that fails is tried so often, a second apart.
TRIES = 5
TIMEOUT = aiohttp.ClientTimeout(total=10)


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared of a user that was read."""

    id: int = msgspec.field(name="_id")
    email: str
    version: int


class Verified(msgspec.Struct, frozen=True, rename="camel"):
    """What `tandem verify --json` says of a kind, as far as it is needed here."""

    missing: int
    surplus: int
    lost: int
    stale: int
    differing: int


async def check_reads(url: str, ledger: Path, counts: Counts) -> None:
    """Read some of the users by id and by e-mail, evenly taken from the ledger, and count what is wrong."""
    versions: dict[int, int] = {}
    gone = set()
    for entry in read_ledger(ledger):
        versions[entry.id] = max(entry.version, versions.get(entry.id, 0))
        if entry.kind in ENDS:
            gone.add(entry.id)
    ids = list(versions)[:: max(1, len(versions) // READS)]
    async with aiohttp.ClientSession(base_url=url, timeout=TIMEOUT) as session:
        for id_ in ids:
            if not await _is_read(session, id_, versions[id_], is_gone=id_ in gone):
                counts.fail(Failure.UNREADABLE, id_)


async def _is_read(session: aiohttp.ClientSession, id_: int, version: int, *, is_gone: bool) -> bool:
    """Whether a user is answered as it was acknowledged last."""
    status, user = await _get(session, f"{QUERY_PATH}/{id_}", {})
    if is_gone:
        return status in {404, 410}
    if user is None or user.id != id_ or user.version < version:
        return False
    # The newest user with this address may be another one.
    _, found = await _get(session, f"{QUERY_PATH}/email", {"email": user.email})
    return found is not None and found.email == user.email


async def _get(
    session: aiohttp.ClientSession, path: str, parameters: dict[str, str]
) -> tuple[int, Read | None]:
    """The status, and the user if there is one. What may pass is tried again."""
    status = 0
    for _ in range(TRIES):
        try:
            async with session.get(path, params=parameters) as response:
                status, body = response.status, await response.read()
            if status == 200:
                return status, msgspec.json.decode(body, type=Read)
            if status < 500:
                break
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(1)
    return status, None


async def check_equality(cells: Iterable[Cell], counts: Counts) -> None:
    """Have `tandem verify` compare all that each cell has, and count the differences.

    Raises:
        LabError: it cannot be carried out; says why.
    """
    for cell in cells:
        for found in await _verify(cell):
            counts.unequal += found.missing + found.surplus + found.lost + found.stale + found.differing


async def _verify(cell: Cell) -> list[Verified]:
    # The URLs hold passwords: in its environment nobody else sees them.
    urls = {"POSTGRES_URL": cell.postgres_url, "MONGODB_URL": cell.mongodb_url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tandem", "verify", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | urls | {"CELL": "-1" if cell.number is None else str(cell.number)},
    )
    output, errors = await process.communicate()
    try:
        return msgspec.json.decode(output, type=list[Verified])
    except msgspec.DecodeError:
        said = errors.decode(errors="replace").strip()[-500:]
        msg = f"Cell {cell.number} could not be verified: {said or 'it was not said why'}."
        raise LabError(msg) from None


async def reasons_of(
    system: System, counts: Counts, faults: Sequence[FaultReport], ledger: Path
) -> list[str]:
    """What explains that acknowledged users are lost, in sentences: during what, and how they could be."""
    lost = set(counts.examples.get(Failure.LOST, ()))
    if not lost or system.hosts is None:
        return []
    during: Counter[str] = Counter()
    for entry in read_ledger(ledger):
        if entry.id in lost:
            before = [fault for fault in faults if fault.began_at <= entry.at]
            last = before[-1] if before else None
            during[f"after {last.fault} ({', '.join(last.targets)})" if last else "before any fault"] += 1
    said = [f"{count} of them were acknowledged {when}" for when, count in during.items()]
    replicated = {cell.number for cell in system.hosts.cells() if cell.has_standbys}
    return [f"Of the lost ones shown, {'; '.join(said)}."] + [
        f"The commits of cell {cell.number} wait for no synchronous standby: what its primary acknowledged "
        "last was on no other host, and was lost when another one took over."
        for cell in system.cells
        if cell.number in replicated and await cell.ask("SHOW synchronous_standby_names") == ""
    ]
