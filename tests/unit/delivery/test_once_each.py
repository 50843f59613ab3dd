"""Each key is carried out once, whatever a batch holds and whoever else carries out the same keys."""

import msgspec
import pytest

from tandem.delivery.idempotency import (
    MOST_TRIES,
    HeldUp,
    Idempotency,
    KeyReused,
    KeyTaken,
    Known,
    StillOpen,
    keys_of,
    once_each,
)
from tandem.kernel import Unavailable


class Order(msgspec.Struct):
    """A command of a kind that the program has none of."""

    what: str
    idempotency: Idempotency | None = None


def order(what: str, key: str | None = None) -> Order:
    return Order(what, key and Idempotency(key, what.encode()))


class Orders:
    """Carries orders out in memory; like a table with a unique index of keys."""

    def __init__(self) -> None:
        self.of_key: dict[str, Known[str]] = {}
        self.batches: list[list[str]] = []
        self.sold_out: set[str] = set()
        self.held_up: set[str] = set()

    async def carry_out(self, orders):
        self.batches.append([one.what for one in orders])
        if held_up := [one for one in orders if one.what in self.held_up]:
            raise HeldUp(held_up, "orders the same")
        if any(key in self.of_key for key in keys_of(orders)):
            raise KeyTaken
        for one in orders:
            if one.idempotency and one.what not in self.sold_out:
                self.of_key[one.idempotency.key] = Known(one.idempotency.fingerprint, one.what)
        return [LookupError(one.what) if one.what in self.sold_out else one.what for one in orders]

    async def find(self, keys):
        return {key: self.of_key[key] for key in keys if key in self.of_key}

    async def once_each(self, *orders):
        return await once_each(orders, self.carry_out, self.find, "{} again".format)


@pytest.fixture
def orders() -> Orders:
    return Orders()


async def test_new_ones_are_carried_out_in_one_batch(orders):
    assert await orders.once_each(order("tea"), order("tea"), order("milk", "k")) == ["tea", "tea", "milk"]
    assert len(orders.batches) == 1


async def test_a_key_that_comes_twice_in_a_batch_is_carried_out_once(orders):
    first, second, third = await orders.once_each(order("tea", "k"), order("tea", "k"), order("milk", "k"))
    assert (first, second) == ("tea", "tea again")
    assert isinstance(third, KeyReused)
    assert orders.batches == [["tea"]]


async def test_a_key_of_an_earlier_batch_is_answered_and_the_others_are_carried_out(orders):
    await orders.once_each(order("tea", "k"))
    assert await orders.once_each(order("milk"), order("tea", "k")) == ["milk", "tea again"]
    assert orders.batches == [["tea"], ["milk", "tea"], ["milk"]]


async def test_who_is_held_up_is_told_why_and_so_is_who_has_the_same_key(orders):
    orders.held_up = {"tea"}
    first, second, third = await orders.once_each(order("tea", "k"), order("milk"), order("beer", "k"))
    assert second == "milk"
    for error in (first, third):
        assert isinstance(error, StillOpen)
        assert "orders the same" in str(error)


async def test_what_fails_alone_fails_alone_unless_it_was_done_before(orders):
    await orders.once_each(order("tea", "k"))
    orders.sold_out = {"tea", "milk"}
    orders.of_key["late"] = Known(b"milk", "milk")
    original = orders.find
    asked = []

    async def find(keys):
        asked.append(list(keys))
        return await original(keys)

    orders.find = find
    plain, new, again = await orders.once_each(order("tea"), order("milk", "n"), order("milk", "n"))
    assert isinstance(plain, LookupError)
    assert isinstance(new, LookupError)
    assert isinstance(again, LookupError)
    assert asked == [["n"]]
    assert await orders.once_each(order("beer"), order("tea", "k")) == ["beer", "tea again"]


async def test_what_fails_now_and_was_done_meanwhile_is_answered(orders):
    """The batch finds no key taken, and yet another instance is done with one before this one looks."""

    async def too_late(batch):
        for one in batch:
            orders.of_key[one.idempotency.key] = Known(one.idempotency.fingerprint, one.what)
        return [LookupError() for _ in batch]

    orders.carry_out = too_late
    assert await orders.once_each(order("tea", "k"), order("tea", "k")) == ["tea again", "tea again"]


async def test_keys_that_are_taken_again_and_again_end_the_batch(orders):
    async def taken(batch):
        orders.batches.append(batch)
        raise KeyTaken

    orders.carry_out = taken
    with pytest.raises(Unavailable, match="taken again and again"):
        await orders.once_each(order("tea", "k"))
    assert len(orders.batches) == MOST_TRIES
