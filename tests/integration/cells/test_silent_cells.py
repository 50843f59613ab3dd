"""A cell that does not answer: what is read goes on without it and says so, or says that it cannot."""

import asyncio

import pytest

from cells import create_users, open_cells
from command_line import run_tandem
from tandem.ids import cell_of
from waiting import until
from watching import watch

CELLS = (0, 3)


@pytest.fixture
async def cells(servers, tmp_path):
    """Two cells with users, and an instance of the first one."""
    async with open_cells(servers, tmp_path, CELLS) as opened:
        for number in CELLS:
            await opened.start(number)
            await create_users(opened[number], 5)
        await opened[3].served.terminate()
        opened[3].served = None
        yield opened


async def ids_of(cell) -> list[int]:
    return [row["id"] for row in await cell.system.postgres.fetch("select id from prm_user order by id")]


MERGED = {
    "/api/v1/user-query": {},
    "/api/v1/user-query/search": {},
    "/api/v1/stats": {},
    "/api/v1/runs": {},
    "/api/v1/stats/described": {},
    "/api/v1/dead-letters": {},
    "/api/v1/verification": {},
    "/api/v1/user-query/email": {"email": "run-1@cell-0.example"},
}


async def test_what_is_merged_names_a_silent_cell_and_has_all_others(cells):
    client, silent = cells[0].client, cells[3]
    before = {path: await client.get(path, params=query) for path, query in MERGED.items()}
    assert {answer.status_code for answer in before.values()} == {200}
    assert not [path for path, answer in before.items() if "Silent-Cells" in answer.headers]
    silent.postgres.fall_silent()
    silent.mongodb.fall_silent()
    # Twice: the second time, nobody waits for it any more.
    for _ in range(2):
        answers = {path: await client.get(path, params=query) for path, query in MERGED.items()}
        assert {answer.status_code for answer in answers.values()} == {200}
        assert {answer.headers.get("Silent-Cells") for answer in answers.values()} == {"3"}
        for path in ("user-query/search", "runs", "stats/described", "verification"):
            assert answers[f"/api/v1/{path}"].json()["silentCells"] == [3]
        assert {cell_of(user["_id"]) for user in answers["/api/v1/user-query"].json()} == {0}
        metrics = (await client.get("/metrics?names=tandem_cell_answers")).text
        assert 'tandem_cell_answers{cell="3",database="mongodb"} 0.0' in metrics
        assert 'tandem_cell_answers{cell="0",database="postgresql"} 1.0' in metrics
        assert [row["total"] for row in answers["/api/v1/stats"].json()] == [5]
    silent.postgres.break_off()
    silent.mongodb.break_off()
    silent.postgres.forward_again()
    silent.mongodb.forward_again()

    async def is_heard(path: str) -> bool:
        answer = await client.get(path, params=MERGED[path])
        return "Silent-Cells" not in answer.headers

    for path in MERGED:
        await until(lambda path=path: is_heard(path), f"{path} has all cells again")
    again = {path: await client.get(path, params=MERGED[path]) for path in MERGED}
    for path in (
        "/api/v1/user-query",
        "/api/v1/user-query/search",
        "/api/v1/stats",
        "/api/v1/user-query/email",
    ):
        assert again[path].text == before[path].text


async def test_where_a_silent_cell_may_have_the_answer_there_is_none(cells):
    (of_silent, *_), client = await ids_of(cells[3]), cells[0].client
    cells[3].postgres.fall_silent()
    cells[3].mongodb.fall_silent()
    for path, query in [
        ("user-query/email", {"email": "run-1@cell-3.example"}),
        ("user-query/email", {"email": "nobody@example.com"}),
        ("user-query", {"complete": "true"}),
        (f"user-query/{of_silent}", {}),
        (f"user-query/{of_silent}", {"version": 1}),
        (f"user-command/{of_silent}", {}),
        (f"user-command/{of_silent}/events", {}),
        (f"dead-letters/{of_silent}", {}),
        ("events", {"cell": 3}),
    ]:
        answer = await client.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == 503, (path, answer.text)
        assert answer.headers.get("Silent-Cells", "3") == "3"
        assert "Retry-After" in answer.headers
    answer = await client.get("/api/v1/user-query/email", params={"email": "nobody@example.com"})
    assert answer.json()["detail"] == "Cell 3 does not answer; try again in a moment."


async def test_with_one_database_of_a_cell_silent_the_other_one_answers(cells):
    (of_silent, *_), client = await ids_of(cells[3]), cells[0].client
    cells[3].mongodb.fall_silent()
    answer = await client.get(f"/api/v1/user-query/{of_silent}?version=1")
    assert (answer.status_code, answer.headers["Tandem-Source"]) == (200, "PostgreSQL")
    assert (await client.get(f"/api/v1/user-command/{of_silent}")).status_code == 200
    assert "Silent-Cells" not in (await client.get("/api/v1/stats")).headers
    assert (await client.get("/api/v1/user-query")).headers["Silent-Cells"] == "3"


async def test_many_who_ask_at_once_do_not_wait_behind_each_other_for_a_silent_cell(cells):
    """Each of them waits for the cell at most once, and none is refused since others wait."""
    cells[3].mongodb.fall_silent()
    client = cells[0].client
    paths = ["/api/v1/user-query?limit=5", "/api/v1/user-query/search?seed=run"] * 20
    answers = await asyncio.gather(*(client.get(path) for path in paths))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["Silent-Cells"] for answer in answers} == {"3"}


async def test_the_live_view_marks_a_silent_cell(cells):
    async with watch(cells[0].client, "run") as watching:
        event = (await watching.until(lambda event: event["stages"]["stored"] == 10))[-1]
        assert "silentCells" not in event
        cells[3].postgres.fall_silent()
        event = (await watching.until(lambda event: event.get("silentCells") == [3]))[-1]
        assert event["stages"]["stored"] == 5
        assert event["databases"] == {"postgresql": "up", "mongodb": "up"}


async def test_an_instance_starts_while_another_cell_is_away(cells):
    cells[3].postgres.fall_silent()
    cells[3].mongodb.fall_silent()
    served = await cells.start(0)
    answer = await served.client.get("/api/v1/stats")
    assert (answer.status_code, answer.headers["Silent-Cells"]) == (200, "3")


async def test_the_command_that_shows_statistics_says_which_cells_are_not_counted(cells):
    cells[3].postgres.fall_silent()
    code, said = await run_tandem("stats", "--url", str(cells[0].client.base_url))
    assert code == 0, said
    assert "Cells that do not answer, and are not counted: 3." in said
    assert "instance-0" in said


async def test_cells_come_and_go_with_the_file_while_reads_go_on(cells):
    client = cells[0].client
    failed = []
    stopped = asyncio.Event()

    async def read() -> None:
        while not stopped.is_set():
            for path in ("user-query?limit=100", "stats?seed=run", "user-query/search?seed=run"):
                answer = await client.get(f"/api/v1/{path}")
                if answer.status_code != 200 or "Silent-Cells" in answer.headers:
                    failed.append((path, answer.status_code, answer.headers.get("Silent-Cells")))

    async def lists(users: int) -> bool:
        return len((await client.get("/api/v1/user-query?limit=100")).json()) == users

    reader = asyncio.create_task(read())
    for numbers, users in (((0,), 5), ((0, 3), 10)) * 2:
        cells.list_in_file(*numbers)
        await until(lambda users=users: lists(users), f"{users} users are listed")
    stopped.set()
    await reader
    assert failed == []
