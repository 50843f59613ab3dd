"""`tandem prove --peers`: what a peer does to users is found under faults, and called what it is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_line import run_tandem
from losing_peer import CHANGED, DOUBLED, DROPPED, LATE, USERS, LosingPeer
from tandem_lab.bench.own_stack import OwnStack
from tandem_lab.peers.local import Command
from tandem_lab.peers.registry import peer_named
from tandem_lab.proof.ledger import read_ledger
from tandem_lab.proof.peer_faults import PEER_FAULTS
from tandem_lab.proof.peers import PeerCounts
from tandem_lab.proof.plan import CREATIONS
from tandem_lab.proof.prove_peers import PeerPlan, prove_peers
from tandem_stack.status import read_status
from up_process import run_up


@pytest.fixture(scope="module")
def stack(new_place: Callable[[], Path]) -> Iterator[OwnStack]:
    """The databases that all peers here use in turn."""
    with run_up(new_place() / "stack", "--instances", "1") as up:
        yield OwnStack(read_status(up.data_dir), up.data_dir)


@pytest.fixture
def prove(stack, tmp_path):
    async def proved(*peers, faults=(), users=USERS, **changes):
        plan = {
            "users": users,
            "mix": CREATIONS,
            "seed": "prove-test",
            "random_seed": 1,
            "faults": [PEER_FAULTS[name] for name in faults],
            "connections": 20,
            "patience_seconds": 5,
            "ledger": tmp_path,
        }
        return await prove_peers(peers, PeerPlan(**plan | changes), stack, lambda *_: None)

    return proved


@pytest.mark.slow
async def test_a_peer_that_keeps_its_promises_holds_while_it_is_killed(prove):
    """What it refuses when it is sent again was never promised, and what is sent is all there."""
    verdict = await prove(LosingPeer(), faults=["kill-instance"])
    (peer,) = verdict.peers
    counts = peer.counts
    assert (verdict.holds, peer.reasons, peer.left_out, peer.broken_off) == (True, [], [], "")
    assert counts.refused > 0
    assert counts.acknowledged + counts.refused == USERS
    assert counts.examples == {}
    assert [(fault.fault, fault.targets, fault.seen) for fault in peer.faults] == [
        ("kill-instance", ["instance"], True)
    ]
    assert len(list(read_ledger(Path(peer.ledger)))) == counts.acknowledged


@pytest.mark.slow
async def test_each_flaw_is_called_what_it_is_and_a_fault_without_a_target_is_left_out(prove):
    peer = LosingPeer("drops", "doubles", "changes", "late", process="server")
    verdict = await prove(peer, faults=["kill-instance"], late_seconds=1.0)
    (judged,) = verdict.peers
    counts = judged.counts
    found = (counts.lost, counts.never_arrived, counts.doubled, counts.differing, counts.late)
    assert found == (DROPPED, DROPPED, DOUBLED, CHANGED, LATE)
    assert (counts.in_first, counts.in_second) == (USERS, USERS - DROPPED)
    assert (counts.doubled_sent_again, judged.faults, judged.seconds_until_all) == (0, [], None)
    examples = counts.examples
    assert examples["lost"][0] == "prove-test-1@example.com: not in the second store"
    assert examples["doubled"][0] == "prove-test-2@example.com: {'first': 1, 'second': 2}"
    assert "prove-test-3@example.com: phone in the second store is 'another'" in examples["differing"][0]
    assert examples["late"] == [f"prove-test-{USERS - 1}@example.com"]
    assert "no process `instance`" in judged.left_out[0]
    assert verdict.holds is False


@pytest.mark.slow
async def test_a_peer_that_answers_before_it_writes_loses_users_when_it_is_killed(prove):
    verdict = await prove(LosingPeer("answers-first"), faults=["kill-instance"])
    counts = verdict.peers[0].counts
    assert counts.acknowledged == USERS
    assert counts.lost > 0
    assert (counts.never_arrived, counts.doubled, counts.differing) == (0, 0, 0)
    assert "not in the first and the second store" in counts.examples["lost"][0]
    assert verdict.holds is False


@pytest.mark.slow
async def test_a_peer_without_keys_doubles_what_has_to_be_sent_again(prove):
    verdict = await prove(LosingPeer("forgets"), faults=["kill-instance"])
    (peer,) = verdict.peers
    assert peer.counts.doubled == peer.counts.doubled_sent_again > 0
    assert (peer.counts.lost, peer.counts.differing, verdict.holds) == (0, 0, False)
    assert any("no key to prevent it" in reason for reason in peer.reasons)


@pytest.mark.slow
async def test_tandem_itself_holds_by_the_same_adapter(prove):
    """While it and both databases are killed or stand still."""
    faults = ["kill-instance", "kill-postgres", "pause-mongodb"]
    verdict = await prove(peer_named("tandem"), faults=faults, users=900, patience_seconds=60)
    (peer,) = verdict.peers
    assert (peer.broken_off, peer.counts) == (
        "",
        PeerCounts(acknowledged=900, in_first=900, in_second=900),
    )
    assert sorted(fault.fault for fault in peer.faults if fault.seen) == faults
    assert verdict.holds


class Refused(LosingPeer):
    def command(self, user, key):
        return super().command(user | {"email": None}, key)


class Mistaken(LosingPeer):
    async def done(self):
        return len(self.nothing)


@pytest.mark.slow
async def test_peers_that_cannot_be_judged_say_why_and_the_others_go_on(prove):
    absent = LosingPeer("absent")
    absent.programs = {"instance": Command(["false"], Path())}
    peers = [absent, Mistaken("mistaken"), Refused("refused"), LosingPeer("sound")]
    verdict = await prove(*peers, users=20)
    does_not_start, mistaken, refused, sound = (peer.broken_off for peer in verdict.peers)
    assert "does not serve" in does_not_start
    assert "has no attribute 'nothing'" in mistaken
    assert Path(__file__).name in mistaken
    assert "It answered 400 to a user that was sent for the first time: An address" in refused
    assert (sound, verdict.peers[3].holds, verdict.holds) == ("", True, False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--peer", "nobody"), 1, "There are: tandem"),
        (("--peer", "nowhere:peer"), 1, "importable from here"),
        (("--peers", "tandem", "--mix", "create=1", "--cells", "3"), 2, "leave --mix, --cells out"),
        (("--peers", "all", "--fault", "rolling-restart"), 2, "There are: kill-instance"),
    ],
    ids=str,
)
async def test_what_cannot_be_done_with_peers_is_refused_in_a_sentence(arguments, code, said):
    exit_code, output = await run_tandem("prove", *arguments)
    assert (exit_code, "Traceback" in output) == (code, False)
    assert said in " ".join(output.split())
