"""How the slots of idempotency keys move between cells: each evenly, and no more of them than have to."""

from collections import Counter
from collections.abc import Collection, Sequence

#: For each slot, the cells that have had it; the last one has it now.
Slots = Sequence[Sequence[int]]


def shared_with(slots: Slots, number: int, others: Collection[int]) -> Slots:
    """An even share of the slots moves to a cell, from those of `others` that have most."""
    moved = [tuple(owners) for owners in slots]
    owned = _owned(moved)
    for _ in range(len(moved) // (len(others) + 1) - owned[number]):
        richest = max(others, key=lambda other: owned[other])
        # Its last slots, so that the others stay where they are.
        slot = max(slot for slot, owners in enumerate(moved) if owners[-1] == richest)
        moved[slot] += (number,)
        owned.update({richest: -1, number: 1})
    return moved


def taken_from(slots: Slots, number: int, others: Collection[int]) -> Slots:
    """All slots of a cell move to those of `others` that have fewest."""
    moved = [tuple(owners) for owners in slots]
    owned = _owned(moved)
    for slot, owners in enumerate(moved):
        if owners[-1] == number:
            poorest = min(others, key=lambda other: owned[other])
            moved[slot] += (poorest,)
            owned[poorest] += 1
    return moved


def _owned(slots: Slots) -> Counter[int]:
    """How many slots each cell has now."""
    return Counter(owners[-1] for owners in slots)
