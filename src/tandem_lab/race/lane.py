"""One side of a race: sends the users, counts them in both stores meanwhile, and judges in the end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tandem_lab.meanwhile import meanwhile
from tandem_lab.peers.protocol import Peer
from tandem_lab.proof.judge_peers import Sent, Stores, judge
from tandem_lab.proof.ledger import Ledger
from tandem_lab.proof.load import Load, Stalled
from tandem_lab.proof.plan import CREATIONS
from tandem_lab.proof.prove_peers import REQUEST_TIMEOUT, PeerPlan, PeerScript
from tandem_lab.race.results import Plan, Side

CONNECTIONS = 50
#: Nothing more comes to who has got nothing for so long. A takeover by another instance takes less.
PATIENCE_SECONDS = 15.0
LOOK_EVERY_SECONDS = 0.5
ALLOW_EVERY_SECONDS = 0.02


class Lane:
    """See the module. `kill` kills what answers, and says what that is."""

    def __init__(self, peer: Peer, plan: Plan, side: Side, kill: Callable[[], str]) -> None:
        self.kill = kill
        self.has_sent_all = False
        self._side = side
        self._peer = peer
        self._plan = plan
        self._sent = Sent(plan.seed)
        self._script = PeerScript(peer, self._sent)
        self._stores = Stores(peer, self._sent, PATIENCE_SECONDS)
        self._in_first: set[int] = set()
        self._began = 0.0

    @property
    def acknowledged(self) -> int:
        """How many users are acknowledged so far."""
        return len(self._script.tries)

    async def check(self) -> None:
        """Ask both stores for the first time.

        Raises:
            PeerFailed: one does not answer.
        """
        await self._stores.check()

    async def run(self, url: str, folder: Path, began: float) -> None:
        """Send all, wait until nothing more arrives, and judge. `began`: of the monotonic clock.

        Raises:
            LabError: a user is refused, or a store does not answer any more.
        """
        self._began = began
        async with meanwhile(self._keep_looking()):
            await self._send(url, folder / f"{self._peer.about.name}.jsonl")
            self.has_sent_all = True
            _, overdue = await self._stores.until_all(list(self._script.tries), PATIENCE_SECONDS)
            await self._stores.settle()
        await self._look()
        side, script = self._side, self._script
        counts = await judge(self._stores, self._sent, script.started, script.tries, overdue)
        side.acknowledged, side.lost, side.doubled = counts.acknowledged, counts.lost, counts.doubled
        side.first, side.second = counts.in_first, counts.in_second

    async def _send(self, url: str, ledger_file: Path) -> None:
        plan = PeerPlan(
            users=self._plan.users,
            mix=CREATIONS,
            seed=self._plan.seed,
            random_seed=0,
            faults=(),
            connections=CONNECTIONS,
            patience_seconds=REQUEST_TIMEOUT.total or PATIENCE_SECONDS,
            ledger=ledger_file,
        )
        with closing(Ledger(ledger_file)) as ledger:
            load = Load(url, plan, ledger, self._script, REQUEST_TIMEOUT)
            async with load.running(CONNECTIONS), meanwhile(self._keep_allowing(load)):
                try:
                    await load.until(plan.users)
                except Stalled:
                    return  # what was never acknowledged is no loss; the counts show it

    async def _keep_allowing(self, load: Load) -> None:
        rate = self._plan.rate
        while load.left:
            due = load.users if rate is None else int((time.monotonic() - self._began) * rate)
            load.allow(max(0, due - (load.users - load.left)))
            await asyncio.sleep(ALLOW_EVERY_SECONDS)

    async def _keep_looking(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _look(self) -> None:
        """Count who is where. The first store is asked only for those that were not seen there before."""
        side = self._side
        new = [index for index in self._script.tries if index not in self._in_first]
        self._in_first.update(await self._stores.read("first", new))
        second, now = await self._peer.done(), time.monotonic() - self._began
        if second > side.second:
            side.second, side.seconds = second, round(now, 1)
        side.first, side.acknowledged = max(len(self._in_first), side.second), self.acknowledged
        side.note(now)
