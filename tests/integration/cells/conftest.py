"""Two cells, 0 and 1, and instances of them."""

import pytest

from cells_of_tests import CellsFileOfTests, open_cells
from systems import Servings


@pytest.fixture
async def cells(servers):
    async with open_cells(servers, [0, 1]) as opened:
        yield opened


@pytest.fixture
def file(cells, tmp_path):
    """The file of both cells. All slots are cell 0's to begin with."""
    found = CellsFileOfTests(tmp_path / "cells.json", cells)
    found.write([[0]])
    return found


@pytest.fixture
async def serve_cell(cells, file, tmp_path):
    """A function that starts an instance of a cell; its client."""
    servings = {number: Servings(system, tmp_path) for number, system in cells.items()}

    async def serve(number: int, **environment: str):
        known = {"CELL": str(number), "CELLS_FILE": str(file.path)}
        return (await servings[number](f"cell-{number}", **(known | environment))).client

    yield serve
    for each in servings.values():
        await each.close()
