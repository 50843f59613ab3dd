"""A proof of peers, each in turn on a stack of the lab's own: load, faults, time to arrive, comparison."""

import random
import re
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus

import aiohttp
import msgspec

from tandem_lab.bench.own_stack import OwnStack
from tandem_lab.errors import LabError, PeerFailed
from tandem_lab.meanwhile import meanwhile
from tandem_lab.peers.places import fresh_places
from tandem_lab.peers.protocol import Peer, Request, Running
from tandem_lab.proof.commands import Answer, Command, Target
from tandem_lab.proof.faults import order_of
from tandem_lab.proof.judge_peers import Sent, Stores, judge
from tandem_lab.proof.ledger import Acknowledged, Kind, Ledger
from tandem_lab.proof.load import TO_BE_SENT_AGAIN, Load
from tandem_lab.proof.peer_faults import PeerFaults, parts_of, targets_of
from tandem_lab.proof.peers import PeerCounts, PeersVerdict, PeerVerdict, Wrong
from tandem_lab.proof.plan import Fault, Plan
from tandem_lab.proof.progress import Moment, Progress, Tell
from tandem_lab.proof.prove import push
from tandem_lab.proof.verdict import FaultReport
from tandem_stack.waiting import until

LATE_SECONDS = 10.0
#: As clients are usually set: one that is in a hurry doubles the users of whoever is slow and has no keys.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)
LOOK_FOR = 50  # of the first users after a fault and of the last ones: one of them shows that users flow


@dataclass(frozen=True, kw_only=True)
class PeerPlan(Plan):
    """As `Plan`. `ledger` is a folder, with a ledger for each peer."""

    #: Who is in the second store only later than this, after the last acknowledgement and fault, is late.
    late_seconds: float = LATE_SECONDS


class PeerCommand(Command, frozen=True, kw_only=True):
    """A user, as a peer wants it sent."""

    index: int
    sent: Request
    peer: Peer
    #: What each refusal said, by key.
    said: dict[str, str]

    @property
    def request(self) -> tuple[str, str, dict[str, str]]:
        """Method, path and headers."""
        return self.sent.method, self.sent.path, dict(self.sent.headers)

    def answered_by(self, status: int, etag: str, body: bytes) -> Answer | None:
        """The answer for good that a response is; None: it is none."""
        del etag
        if self.peer.acknowledged(status, body):
            return Answer(HTTPStatus.OK, 1, self.index)
        if 400 <= status < 500 and status not in TO_BE_SENT_AGAIN:
            self.said[self.key] = body[:300].decode(errors="replace")
            return Answer(status, 0, self.index)
        return None


class PeerScript:
    """See `Script`. Each user is created by the request that the adapter makes of it."""

    def __init__(self, peer: Peer, sent: Sent) -> None:
        #: How often each acknowledged user was sent, by its number, in the order of acknowledgement.
        self.tries: dict[int, int] = {}
        self.refused = 0
        self.started = 0
        self._peer = peer
        self._sent = sent
        self._said: dict[str, str] = {}

    def before(self) -> Sequence[Command]:
        """See `Script`."""
        return ()

    def creation(self, index: int) -> Command:
        """See `Script`."""
        key = self._sent.key(index)
        request = self._peer.command(self._sent.user(index), key)
        self.started = max(self.started, index + 1)
        return PeerCommand(
            kind=Kind.CREATE,
            key=key,
            seed=self._sent.seed,
            body=request.body,
            index=index,
            sent=request,
            peer=self._peer,
            said=self._said,
        )

    def changes(self, index: int, created: Target) -> Iterator[Command]:
        """See `Script`. None are sent: what a change is differs from peer to peer."""
        del index, created
        yield from ()

    def note(self, command: Command, answer: Answer) -> Target:
        """See `Script`."""
        del command
        assert answer.id is not None  # noqa: S101 - narrows the type: every answer here has one
        return Target(answer.id, answer.version)

    def entry(self, command: Command, answer: Answer, tries: int) -> Acknowledged | None:
        """See `Script`.

        Raises:
            PeerFailed: the peer refuses a user that it has not been sent before.
        """
        assert answer.id is not None  # noqa: S101 - see `note`
        if not answer.is_rejection:
            self.tries[answer.id] = tries
            return Acknowledged(command.key, answer.id, self._sent.seed)
        said = self._said.pop(command.key)
        if tries == 1:
            msg = f"It answered {answer.status} to a user that was sent for the first time: {said}"
            raise PeerFailed(msg)
        self.refused += 1
        return None


class Trial:
    """The proof of one peer."""

    def __init__(self, peer: Peer, plan: PeerPlan, tell: Tell) -> None:
        self._peer = peer
        self._plan = plan
        self._tell: Tell = lambda now: tell(
            msgspec.structs.replace(now, doing=f"{peer.about.name}: {now.doing}")
        )
        self._sent = Sent(plan.seed)
        self._script = PeerScript(peer, self._sent)
        self._stores = Stores(peer, self._sent, plan.patience_seconds)
        self._ledger = plan.ledger / f"{plan.seed}-{re.sub(r'[^A-Za-z0-9_.]+', '-', peer.about.name)}.jsonl"
        self._counts = PeerCounts()
        self._faults: list[FaultReport] = []
        self._left_out: list[str] = []
        self._sent_again: dict[str, int] = {}
        self._seconds_until_all: float | None = None
        self._broken_off = ""

    async def run(self, stack: OwnStack) -> PeerVerdict:
        """Start the peer, carry out the proof, and end the peer."""
        began = time.monotonic()
        urls = str(stack.running.postgres.url), str(stack.running.mongodb.url)
        try:
            self._tell(Moment(0, "starting"))
            async with fresh_places(*urls) as places, self._peer.running(places) as running:
                await self._stores.check()
                await self._push(running, stack)
                self._tell(Moment(len(self._script.tries), "waiting for what is still to arrive"))
                await self._judge()
        except Exception as error:  # the adapter is anybody's, and the other peers go on
            self._broken_off = what_happened(error)
        return self._verdict(round(time.monotonic() - began, 1))

    async def _push(self, running: Running, stack: OwnStack) -> None:
        parts = parts_of(running, stack.data_dir)
        can = [fault for fault in self._plan.faults if targets_of(fault, parts)]
        self._left_out = [
            f"{fault}: the adapter names no process `instance`, so nothing was struck."
            for fault in self._plan.faults
            if fault not in can
        ]
        plan = replace(self._plan, faults=can)
        with closing(Ledger(self._ledger)) as ledger:
            load = Load(running.url, plan, ledger, self._script, REQUEST_TIMEOUT)
            dice = random.Random(plan.random_seed)  # noqa: S311 - it must be repeatable
            faults = PeerFaults(parts, load, dice, self._arrives)

            async def strike(fault: Fault) -> FaultReport:
                return await faults.strike(fault, plan.patience_seconds)

            progress = Progress(load, self._tell, "pushing users")
            try:
                async with meanwhile(progress.keep_telling()), load.running(plan.connections):
                    self._faults = await push(plan, load, progress, order_of(can, dice), strike)
            finally:
                self._sent_again = dict(load.sent_again)

    async def _arrives(self) -> bool:
        """Whether one of the users that are acknowledged from now on comes into the second store."""
        before = len(self._script.tries)

        async def has_arrived() -> bool:
            since = list(self._script.tries)[before:]
            return bool(since and await self._stores.read("second", since[:LOOK_FOR] + since[-LOOK_FOR:]))

        return await until(has_arrived, self._plan.patience_seconds)

    async def _judge(self) -> None:
        script, stores = self._script, self._stores
        self._seconds_until_all, overdue = await stores.until_all(list(script.tries), self._plan.late_seconds)
        await stores.settle()
        self._counts = await judge(stores, self._sent, script.started, script.tries, overdue)
        self._counts.refused = script.refused

    def _verdict(self, seconds: float) -> PeerVerdict:
        about, counts = self._peer.about, self._counts
        holds = (
            not self._broken_off
            and counts.acknowledged + counts.refused == self._plan.users
            and not any(getattr(counts, wrong) for wrong in Wrong)
            and all(fault.seen and fault.seconds_to_recover is not None for fault in self._faults)
        )
        return PeerVerdict(
            peer=about.name,
            what=about.what,
            accepts_keys=about.accepts_keys,
            holds=holds,
            users=self._plan.users,
            counts=counts,
            faults=self._faults,
            sent_again=self._sent_again,
            seconds=seconds,
            seconds_until_all=self._seconds_until_all,
            ledger=str(self._ledger),
            reasons=list(self._reasons()),
            left_out=self._left_out,
            broken_off=self._broken_off,
        )

    def _reasons(self) -> Iterator[str]:
        counts, keys = self._counts, self._peer.about.accepts_keys
        if counts.never_arrived:
            yield f"{counts.never_arrived:,} of the lost are in the first store, and never arrived."
        if counts.doubled_sent_again:
            why = "in spite of its keys" if keys else "it had no key to prevent it"
            yield f"{counts.doubled_sent_again:,} of the doubled were sent more than once: {why}."
        missing = self._plan.users - counts.acknowledged - counts.refused
        if missing and not self._broken_off:
            yield f"{missing:,} were never acknowledged, though they were sent again and again."


async def prove_peers(peers: Sequence[Peer], plan: PeerPlan, stack: OwnStack, tell: Tell) -> PeersVerdict:
    """Prove each peer in turn, on the databases of a stack. One that fails does not end the others."""
    verdicts = [await Trial(peer, plan, tell).run(stack) for peer in peers]
    return PeersVerdict(
        holds=all(verdict.holds for verdict in verdicts),
        peers=verdicts,
        seed=plan.seed,
        random_seed=plan.random_seed,
        connections=plan.connections,
        patience_seconds=plan.patience_seconds,
        late_seconds=plan.late_seconds,
    )


def what_happened(error: BaseException) -> str:
    """What happened; for what no one has foreseen also where, as it may be the adapter's mistake."""
    if isinstance(error, LabError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
