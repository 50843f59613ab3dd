"""A race from its start to what came of it: two lanes at the same time, and one kill for both."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tandem_lab.errors import LabError
from tandem_lab.meanwhile import meanwhile
from tandem_lab.peers.facts import versions_of
from tandem_lab.peers.places import fresh_places
from tandem_lab.peers.protocol import Peer, Running
from tandem_lab.peers.registry import names, peer_named
from tandem_lab.proof.peer_faults import INSTANCE
from tandem_lab.proof.prove_peers import what_happened
from tandem_lab.proof.stack import Cell, System
from tandem_lab.race.lane import LOOK_EVERY_SECONDS, Lane
from tandem_lab.race.results import Plan, Race, Struck, race_of, sentence_of, title_of
from tandem_lab.race.tandem import RunningTandem
from tandem_stack.processes import kill_tree
from tandem_stack.status import read_status
from tandem_stack.waiting import together, until

MOST_SECONDS = 1_200.0  # of a whole race
#: Longer than it takes to clear up. PyMongo swallows a cancellation now and then.
CANCEL_AGAIN_SECONDS = 30.0
ALSO_IN_THE_MIDDLE = 0.4  # of its users are acknowledged
PLAIN_WAY = "plain_way"


def installed_peers() -> list[str]:
    """The names of the peers of this checkout whose libraries are installed, the plain way first."""
    found = [name for name in names() if name != "tandem" and _is_installed(name)]
    return sorted(found, key=lambda name: (name != PLAIN_WAY, name))


async def race(plan: Plan, data_dir: Path, tell: Callable[[Race], None], stop: asyncio.Event) -> None:
    """Carry out a race on the stack of a data folder, and tell how it stands, twice a second.

    What goes wrong is told as well. In the end, or soon after `stop` was set, nothing of the peer is left.
    """
    state = race_of(plan)
    work = asyncio.create_task(_carry_out(plan, data_dir, state))
    stopping = asyncio.create_task(stop.wait())
    async with meanwhile(_keep_telling(state, tell)):
        await asyncio.wait([work, stopping], timeout=MOST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        while not work.done():
            work.cancel()
            await asyncio.wait([work], timeout=CANCEL_AGAIN_SECONDS)
    if stop.is_set():
        state.state = "stopped"
    elif work.cancelled():
        state.state, state.reason = "failed", f"It was not over after {MOST_SECONDS / 60:.0f} minutes."
    elif error := work.exception():
        state.state, state.reason = "failed", what_happened(error)
    else:
        state.state, state.sentence = "done", sentence_of(state)
    stopping.cancel()
    tell(state)


async def _keep_telling(state: Race, tell: Callable[[Race], None]) -> None:
    while True:
        tell(state)
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _carry_out(plan: Plan, data_dir: Path, state: Race) -> None:
    peer, system = peer_named(plan.peer), _system_of(data_dir)
    state.what, state.sides[1].name = peer.about.what, title_of(peer.about.name)
    if await system.knows(plan.seed):
        raise LabError(f"The run {plan.seed!r} has users already. Name another seed.")
    tandem, cell = RunningTandem(system, plan.seed, plan.authorization), system.cells[0]
    async with (
        fresh_places(cell.postgres_url, cell.mongodb_url) as places,
        peer.running(places) as running,
        tandem.running() as ours,
    ):
        ours_side, other_side = state.sides
        kill = _killing(running, other_side.name)
        lanes = [Lane(tandem, plan, ours_side, tandem.kill_one), Lane(peer, plan, other_side, kill)]
        for lane in lanes:
            await lane.check()
        await _run(lanes, [ours.url, running.url], plan, state)


async def _run(lanes: list[Lane], urls: list[str], plan: Plan, state: Race) -> None:
    began, state.state = time.monotonic(), "sending"

    async def all_is_sent() -> bool:
        return all(lane.has_sent_all for lane in lanes)

    with tempfile.TemporaryDirectory(prefix="tandem-race-") as folder:
        async with together() as group:
            for lane, url in zip(lanes, urls, strict=True):
                group.create_task(lane.run(url, Path(folder), began))
            if plan.fault:
                await _kill_in_the_middle(lanes, plan, state, began)
            await until(all_is_sent, None)
            state.state = "settling"


async def _kill_in_the_middle(lanes: list[Lane], plan: Plan, state: Race, began: float) -> None:
    """Kill both when the first of them is half through; and again when both are, if one was far behind."""
    for halfway in (1, 2):

        async def are_halfway(enough: int = halfway) -> bool:
            through = [lane.has_sent_all or lane.acknowledged >= plan.users / 2 for lane in lanes]
            return sum(through) >= enough

        await until(are_halfway, None)
        if all(lane.has_sent_all for lane in lanes):
            return
        at = round(time.monotonic() - began, 1)
        again = " again" if state.faults else ""
        struck = " and ".join(lane.kill() for lane in reversed(lanes))
        state.faults.append(Struck(at, f"{struck} were killed{again}"))
        if all(lane.acknowledged >= plan.users * ALSO_IN_THE_MIDDLE for lane in lanes):
            return


def _system_of(data_dir: Path) -> System:
    running = read_status(data_dir)
    if running is None or running.url is None or not running.postgres.url or not running.mongodb.url:
        raise LabError(f"No stack of one host runs on {data_dir}. Start it with `tandem up`.")
    return System(running.url, [Cell(running.postgres.url, running.mongodb.url)], data_dir)


def _killing(running: Running, name: str) -> Callable[[], str]:
    """What kills the peer's processes that answer.

    Raises:
        LabError: nobody may touch them.
    """
    processes = [pid for each, pid in running.processes.items() if each.startswith(INSTANCE)]
    if not processes:
        raise LabError(f"{name} names no process that may be killed, so there is no race with it.")

    def kill() -> str:
        for pid in filter(None, [pid() for pid in processes]):
            kill_tree(pid)
        return name

    return kill


def _is_installed(name: str) -> bool:
    try:
        peer: Peer = peer_named(name)
    except LabError:
        return False
    return all(versions_of(peer.about).values())
