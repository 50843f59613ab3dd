"""How the slots of keys move when a cell is added or drained."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tandem_stack.hosts.slots import Slots, shared_with, taken_from

SLOTS = 1024


def owned(slots: Slots) -> Counter[int]:
    return Counter(owners[-1] for owners in slots)


def moves(before: Slots, after: Slots) -> int:
    """How many slots have moved; each list may only grow, by one."""
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert list(new[: len(old)]) == list(old)
        assert len(new) - len(old) in {0, 1}
    return sum(len(new) - len(old) for old, new in zip(before, after, strict=True))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40))
def test_a_new_cell_gets_an_even_share_and_nothing_else_moves(cells: int):
    before = [(slot % cells,) for slot in range(SLOTS)]
    after = shared_with(before, cells, range(cells))
    assert moves(before, after) == owned(after)[cells] == SLOTS // (cells + 1)
    assert max(owned(after).values()) - min(owned(after).values()) <= 1


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=30))
def test_after_any_changes_those_who_take_users_have_even_shares(drained: list[int]):
    slots: Slots = [(slot % 3,) for slot in range(SLOTS)]
    taking, following = {0, 1, 2}, 3
    for number in drained:
        before = slots
        if number in taking and len(taking) > 1:
            taking.remove(number)
            slots = taken_from(slots, number, sorted(taking))
            assert moves(before, slots) == owned(before)[number]
        else:
            slots = shared_with(slots, following, sorted(taking))
            assert moves(before, slots) == owned(slots)[following]
            taking.add(following)
            following += 1
        shares = [owned(slots)[number] for number in taking]
        assert sum(shares) == SLOTS
        assert max(shares) - min(shares) <= 1
