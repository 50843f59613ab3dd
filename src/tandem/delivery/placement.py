"""What of all commands is this cell's, where there are several cells (docs/hosts.md)."""

from collections.abc import Sequence
from typing import NamedTuple

from tandem.config.cells import WatchedCells, slot_of
from tandem.errors import TandemError
from tandem.ids import cell_of
from tandem.kernel.cells import OtherCell

#: The move of who has a key without ever having had its slot. It comes after all others.
NO_SLOT = 2**31 - 1


class Draining(TandemError):
    """This cell takes nothing new any more; all else goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Cell {number} takes nothing new any more. Send it to another cell.")


class Ownership(NamedTuple):
    """How this cell came to a key's slot.

    `move`: by which move of it; 0: it was the first; `NO_SLOT`: it did not. `earlier`: the other cells that
    had it before. `had_it_before`: whether this one was among them.
    """

    move: int = 0
    earlier: Sequence[int] = ()
    had_it_before: bool = False


class Placement:
    """Tells commands for this cell from those for others. A system without cells has no others."""

    def __init__(self, cell: int = -1, cells: WatchedCells | None = None) -> None:
        """`cell`: this one's number; -1: it is none. `cells`: the file that lists all, if any."""
        self.cell = cell
        self._cells = cells if cell >= 0 else None

    def has(self, id_: int) -> bool:
        """Whether this id is one of this cell."""
        return self.cell < 0 or cell_of(id_) == self.cell

    def require_named(self, number: int | None) -> None:
        """Refuse a command whose client names another cell for it.

        Raises:
            OtherCell: it does.
        """
        if number is not None and self.cell >= 0 and number != self.cell:
            raise OtherCell(number)

    def require_own(self, id_: int) -> None:
        """Refuse a command on something of another cell.

        Raises:
            OtherCell: this id is another cell's.
        """
        if not self.has(id_):
            raise OtherCell(cell_of(id_))

    def require_open(self) -> None:
        """Refuse a command that creates something, if this cell takes none.

        Raises:
            Draining: it does not.
        """
        if self.is_draining:
            raise Draining(self.cell)

    @property
    def is_draining(self) -> bool:
        """Whether this cell is to take nothing new."""
        if self._cells is None:
            return False
        own = self._cells.latest.by_number.get(self.cell)
        return own is not None and own.draining

    def ownership(self, key: str, *, is_named: bool = False) -> Ownership:
        """On what terms this cell may use an idempotency key for something new.

        While slots are being moved, a cell that had the key's slot goes on with it: the balancer may not know
        of the move yet, and this is as safe (`delivery.moved_keys`). Where the client names this cell
        (`is_named`), the slot may be anybody's.

        Raises:
            OtherCell: the key's slot is another cell's.
        """
        if self._cells is None:
            return Ownership()
        owners, is_moving = self._cells.latest.slots[slot_of(key)], self._cells.latest.moving
        if owners[-1] != self.cell and not (is_moving and self.cell in owners):
            if is_named:
                return Ownership(NO_SLOT, sorted({*owners} - {self.cell}))
            raise OtherCell(owners[-1])
        move = len(owners) - 1 - owners[::-1].index(self.cell)
        before = set(owners[:move])
        return Ownership(move, sorted(before - {self.cell}), self.cell in before)
