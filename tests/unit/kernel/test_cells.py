"""Several cells asked as one."""

import asyncio
from datetime import timedelta

import pytest

from tandem.ids import CELL_STEP, FIRST_ID_OF_CELLS
from tandem.kernel import Overloaded, Unavailable
from tandem.kernel.cells import Everywhere, OtherCell, Part, SilentCells, Voice, hear

SOON = timedelta(seconds=0.05)


async def never():
    await asyncio.get_running_loop().create_future()


class Cells:
    """Three cells, of which each answers its number unless it is told to do something else."""

    def __init__(self) -> None:
        self.does = {}
        self.asked = []
        self.others = {number: Part(number, number, Voice()) for number in (7, 3)}
        self.everywhere = Everywhere(0, 0, Voice(), self.others)

    async def ask(self, number):
        self.asked.append(number)
        does = self.does.get(number)
        if isinstance(does, Exception):
            raise does
        if does is not None:
            await does()
        return number * 10


@pytest.fixture
def cells():
    return Cells()


async def test_all_are_asked(cells):
    heard = await cells.everywhere.ask(cells.ask)
    assert heard.answers == {0: 0, 3: 30, 7: 70}
    assert heard.silent == []


@pytest.mark.parametrize("does", [never, Unavailable("away"), TimeoutError()])
async def test_one_that_does_not_answer_is_named_and_not_asked_again(cells, does):
    cells.does[3] = does
    heard = await cells.everywhere.ask(cells.ask, SOON)
    assert (heard.answers, heard.silent) == ({0: 0, 7: 70}, [3])
    with pytest.raises(SilentCells, match="Cell 3 does not answer"):
        heard.require_all()
    cells.asked.clear()
    assert (await cells.everywhere.ask(cells.ask, SOON)).silent == [3]
    assert 3 not in cells.asked


async def test_the_own_cell_is_no_better_than_others(cells):
    cells.does[0] = never
    heard = await cells.everywhere.ask(cells.ask, SOON)
    assert (heard.answers, heard.silent) == ({3: 30, 7: 70}, [0])


async def test_it_is_asked_again_once_it_answers_a_probe(cells, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("tandem.kernel.cells.time.monotonic", lambda: now)
    cells.does[3] = Unavailable("away")
    await cells.everywhere.ask(cells.ask)
    voice = cells.everywhere.part(3).voice
    del cells.does[3]

    async def answers():
        return True

    await voice.probe(answers)
    assert voice.is_silent, "It has not had its rest."
    now += 1
    await voice.probe(answers)
    assert (await cells.everywhere.ask(cells.ask)).silent == []


async def test_that_too_much_waits_for_a_cell_does_not_make_it_silent(cells):
    cells.does[3] = Overloaded("too much")
    assert (await cells.everywhere.ask(cells.ask)).silent == [3]
    assert not cells.everywhere.part(3).voice.is_silent


async def test_a_cell_that_answers_others_is_not_silent_to_who_waits_too_long(cells):
    waits = cells.everywhere.part(3)

    async def wait_in_line(part):
        await hear([waits], lambda _: cells.ask(3))
        await never()

    cells.asked.clear()
    with pytest.raises(Overloaded):
        await hear([waits], wait_in_line, SOON)
    assert not waits.voice.is_silent


async def test_where_none_answers_all_are_named(cells):
    cells.does = dict.fromkeys((0, 3, 7), never)
    with pytest.raises(SilentCells, match="Cells 0, 3, 7 do not answer"):
        await cells.everywhere.ask(cells.ask, SOON)
    with pytest.raises(SilentCells):
        await cells.everywhere.ask(cells.ask, SOON)


async def test_an_error_of_the_caller_is_no_silence(cells):
    cells.does[3] = KeyError("no such thing")
    with pytest.raises(KeyError):
        await cells.everywhere.ask(cells.ask)


async def test_who_leaves_stops_what_was_asked(cells):
    stopped = []

    async def until_stopped():
        try:
            await never()
        finally:
            stopped.append(True)

    cells.does[7] = until_stopped
    asking = asyncio.create_task(cells.everywhere.ask(cells.ask))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert stopped


async def test_an_id_leads_to_its_cell_and_nowhere_else(cells):
    of_seven = FIRST_ID_OF_CELLS + 5 * CELL_STEP + 7
    assert await cells.everywhere.ask_for(of_seven, cells.ask) == 70
    assert await cells.everywhere.ask_for(17, cells.ask) == 0
    assert await cells.everywhere.ask_for(of_seven + 1, cells.ask) is None
    assert cells.asked == [7, 0]
    cells.everywhere.require_own(17)
    with pytest.raises(OtherCell) as raised:
        cells.everywhere.require_own(of_seven)
    assert raised.value.number == 7


async def test_an_id_of_a_silent_cell_has_no_answer(cells):
    cells.does[7] = never
    with pytest.raises(SilentCells, match="Cell 7 does"):
        await cells.everywhere.ask_for(FIRST_ID_OF_CELLS + 7, cells.ask, SOON)


async def test_a_cell_that_is_alone_answers_for_all_ids_and_its_errors_stay_its_own():
    cells = Cells()
    cells.others.clear()
    assert await cells.everywhere.ask_for(FIRST_ID_OF_CELLS + 7, cells.ask) == 0
    cells.everywhere.require_own(FIRST_ID_OF_CELLS + 7)
    cells.does[0] = Unavailable("PostgreSQL does not answer")
    with pytest.raises(Unavailable, match="PostgreSQL"):
        await cells.everywhere.ask(cells.ask)
