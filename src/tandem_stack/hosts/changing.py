"""Adding and draining cells of a running stack: what there is to be. How it comes so is in `desired`."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from tandem_stack.errors import StackError
from tandem_stack.hosts import control
from tandem_stack.hosts.desired import HIGHEST_CELL, Desired, DesiredCell, read_desired, write_desired
from tandem_stack.hosts.slots import Slots, shared_with, taken_from
from tandem_stack.running import nothing_runs_on

LOCK = "cells.lock"


async def add_cell(
    data_dir: Path, database_hosts: Literal[1, 3] | None = None, instance_hosts: int | None = None
) -> int:
    """Add a cell with the next number, and move an even share of the slots to it. Returns the number.

    Args:
        data_dir: the data folder of the running stack.
        database_hosts: how many it has; None: as many as the last cell.
        instance_hosts: the same for its instances.

    Raises:
        StackError: no stack of hosts is running, or the cell did not start, and there is none now.
    """
    with _alone(data_dir):
        before = _running(data_dir)
        last = max(before.cells, key=lambda cell: cell.number)
        number = last.number + 1
        if number > HIGHEST_CELL:
            raise StackError(f"There can be no more than {HIGHEST_CELL + 1} cells on one machine.")
        cell = DesiredCell(
            number=number,
            database_hosts=database_hosts or last.database_hosts,
            instance_hosts=instance_hosts or last.instance_hosts,
        )
        # All have to know the cell before it has users: instances, and HAProxy for the last connection.
        waiting = msgspec.structs.replace(cell, draining=True)
        try:
            await _make_so(data_dir, msgspec.structs.replace(before, cells=(*before.cells, waiting)))
        except StackError:
            write_desired(data_dir, before)
            raise
        grown = msgspec.structs.replace(before, cells=(*before.cells, cell))
        await _make_so(data_dir, _with_slots(grown, shared_with(before.slots, number, _taking(before))))
        return number


async def drain_cell(data_dir: Path, number: int) -> None:
    """Let a cell take no new users any more. Its slots move to the other cells.

    Raises:
        StackError: no stack of hosts is running, there is no such cell, or no other one would take users.
    """
    with _alone(data_dir):
        before = _running(data_dir)
        cell = before.by_number.get(number)
        if cell is None:
            known = ", ".join(str(each.number) for each in before.cells)
            raise StackError(f"There is no cell {number}. There are: {known}.")
        if cell.draining:
            raise StackError(f"Cell {number} is being drained already.")
        others = [other for other in _taking(before) if other != number]
        if not others:
            msg = (
                f"Cell {number} is the only one that takes new users. Add another first: `tandem cells add`."
            )
            raise StackError(msg)
        cells = tuple(
            msgspec.structs.replace(each, draining=True) if each is cell else each for each in before.cells
        )
        drained = msgspec.structs.replace(before, cells=cells)
        await _make_so(data_dir, _with_slots(drained, taken_from(before.slots, number, others)))


def _running(data_dir: Path) -> Desired:
    """The cells of the stack."""
    desired = read_desired(data_dir)
    if desired is None or not (data_dir / control.FILE).exists():
        raise StackError(nothing_runs_on(data_dir, "up --hosts"))
    return desired


def _taking(desired: Desired) -> Sequence[int]:
    """The cells that take new users."""
    return [cell.number for cell in desired.cells if not cell.draining]


def _with_slots(desired: Desired, slots: Slots) -> Desired:
    return msgspec.structs.replace(desired, slots=tuple(map(tuple, slots)))


async def _make_so(data_dir: Path, desired: Desired) -> None:
    write_desired(data_dir, desired)
    await control.ask(data_dir, "reconcile")


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Nobody else changes cells meanwhile.

    Raises:
        StackError: somebody does, or there is no such folder.
    """
    try:
        file = (data_dir / LOCK).open("w")
    except FileNotFoundError:
        raise StackError(nothing_runs_on(data_dir, "up --hosts")) from None
    except OSError as error:
        msg = f"{data_dir} has no stack of hosts that this account may change: {error.strerror}."
        raise StackError(msg) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"Cells of {data_dir} are being changed already. Try again when that is done."
            raise StackError(msg) from None
        yield
