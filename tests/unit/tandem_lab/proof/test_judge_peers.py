"""What the judge of peers calls equal, and what it does while a store does not answer."""

import copy
import random

import pytest

from tandem_lab.errors import PeerFailed
from tandem_lab.proof.judge_peers import Sent, Stores, judge

SENT = Sent("run")


class InMemory:
    """A peer that has its stores in this process. Its first questions fail, as many as are told."""

    def __init__(self, failing: int = 0) -> None:
        self.stores = {name: [copy.deepcopy(SENT.user(index)) for index in range(3)] for name in ("a", "b")}
        self.failing = failing

    async def first(self, emails):
        if self.failing:
            self.failing -= 1
            raise ConnectionError("not now")
        found = [user for user in self.stores["a"] if user["email"] in emails]
        return random.sample(found, len(found))

    async def second(self, emails):
        return [user for user in self.stores["b"] if user["email"] in emails]

    async def done(self):
        return len(self.stores["b"])


async def judged(peer, patience_seconds=5.0, tries=1):
    stores = Stores(peer, SENT, patience_seconds)
    return await judge(stores, SENT, 3, dict.fromkeys(range(3), tries), set())


async def test_other_types_of_what_is_compared_as_text_and_fields_of_ones_own_do_not_differ():
    peer = InMemory(failing=2)
    for user in peer.stores["a"]:
        user["location"]["street"]["number"] = str(user["location"]["street"]["number"])
        user["dob"], user["of"] = None, "our own"
    counts = await judged(peer)
    assert counts.examples == {}
    assert (counts.acknowledged, counts.in_first, counts.in_second) == (3, 3, 3)


@pytest.mark.parametrize("store", ["a", "b"])
async def test_a_field_that_is_missing_or_another_differs_in_either_store(store):
    peer = InMemory()
    del peer.stores[store][0]["name"]["first"]
    peer.stores[store][1]["location"] = "somewhere"
    counts = await judged(peer)
    name = {"a": "first", "b": "second"}[store]
    assert counts.differing == 2
    assert f"name.first in the {name} store is None" in counts.examples["differing"][0]
    assert f"location.street.number in the {name} store is None" in counts.examples["differing"][1]


async def test_a_user_twice_is_doubled_once_and_a_stranger_is_nothing():
    peer = InMemory()
    for users in peer.stores.values():
        users.append(users[0])
        users.append({"email": "somebody@example.com"})
    assert (await judged(peer)).doubled == 1
    assert (await judged(peer)).doubled_sent_again == 0
    assert (await judged(peer, tries=2)).doubled_sent_again == 1


async def test_a_store_that_never_answers_ends_the_judgement_in_a_sentence():
    with pytest.raises(PeerFailed, match="`first` of the adapter does not answer any more: ConnectionError"):
        await judged(InMemory(failing=1000), patience_seconds=0.3)


async def test_who_comes_after_the_time_is_overdue_and_who_never_comes_ends_the_wait():
    peer = InMemory()
    peer.stores["b"].pop()
    seconds, overdue = await Stores(peer, SENT, 0.5).until_all([0, 1, 2], late_seconds=0.1)
    assert (seconds, overdue) == (None, {2})
