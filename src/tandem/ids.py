"""Ids of users and of all other aggregates."""

from typing import Annotated

from msgspec import Meta

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1

# Where users are in several cells (docs/hosts.md), the last four digits of an id name its cell: cell 7 gives
# 1000000000007, 1000000010007, and so on. A system without cells gives 1, 2, 3, and may become cell 0 with
# them.
CELL_STEP = 10_000
FIRST_ID_OF_CELLS = 10**12
HIGHEST_CELL = CELL_STEP - 1

CellNumber = Annotated[int, Meta(ge=0, le=HIGHEST_CELL)]

Id = Annotated[int, Meta(ge=1, le=HIGHEST_ID)]

#: A version, as far as PostgreSQL's integer goes.
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]


def cell_of(id_: int) -> int:
    """The number of the cell that gave this id."""
    return id_ % CELL_STEP if id_ >= FIRST_ID_OF_CELLS else 0
