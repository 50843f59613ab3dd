"""Commands that came to a cell they are not for, cells that are draining, and slots that move."""

import asyncio

import pytest

from cells_of_tests import CellsFileOfTests
from proxy import Proxy, port_of, through
from tandem.config.cells import slot_of
from tandem.ids import FIRST_ID_OF_CELLS
from waiting import until

COMMANDS = "/api/v1/user-command"
USER = {"email": "a@example.com"}


async def send(client, key=None, body=USER):
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post(f"{COMMANDS}?seed=run", json=body, headers=headers)


async def until_known(client, status: int, **sent) -> None:
    """Wait until the instance has seen what the file says now."""

    async def is_known() -> bool:
        return (await send(client, **sent)).status_code == status

    await until(is_known, f"a create answered {status}")


def assert_misdirected(answer, cell: int) -> None:
    assert answer.status_code == 421, answer.text
    problem = answer.json()
    assert (problem["title"], problem["cell"]) == ("Misdirected Request", cell)
    assert f"cell {cell}" in problem["detail"]


async def test_commands_on_ids_of_another_cell_are_refused_and_say_which(cells, serve_cell):
    zero, one = await serve_cell(0), await serve_cell(1)
    created = (await send(one)).json()
    assert created["id"] == FIRST_ID_OF_CELLS + 1
    path = f"{COMMANDS}/{created['id']}"
    assert_misdirected(await zero.patch(path, json={"phone": "1"}), 1)
    assert_misdirected(await zero.delete(path), 1)
    # An id from before there were cells is cell 0's.
    assert_misdirected(await one.patch(f"{COMMANDS}/7", json={"phone": "1"}), 0)
    assert (await zero.patch(f"{COMMANDS}/7", json={"phone": "1"})).status_code == 404
    assert (await one.patch(path, json={"phone": "1"})).status_code == 200
    assert await cells[1].count("select version from prm_user") == 2


async def test_without_a_file_ids_are_refused_and_every_key_is_taken(serve_cell):
    one = await serve_cell(1, CELLS_FILE="")
    assert (await send(one, "key")).status_code == 201
    assert_misdirected(await one.delete(f"{COMMANDS}/7"), 0)


async def test_a_key_of_another_cells_slot_is_refused_until_the_slot_moves(file, serve_cell):
    zero, one = await serve_cell(0), await serve_cell(1)
    assert_misdirected(await send(one, '"key"'), 0)
    first = await send(zero, '"key"')
    assert first.status_code == 201
    # Without a key, and for what is there, any cell will do.
    assert (await send(one)).status_code == 201

    # On its way, both take it, and it is the same user.
    file.write([[0, 1]], moving=True)
    await until_known(one, 201, key="key")
    again = await send(one, "key")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert (await send(zero, "key")).json() == first.json()
    new = await send(one, "new")
    assert (new.status_code, new.json()["id"] % 10_000) == (201, 1)
    assert_misdirected(await send(zero, "new"), 1)
    late = await send(zero, "late")
    assert (late.status_code, late.json()["id"] % 10_000) == (201, 0)
    assert (await send(one, "late")).json() == late.json()

    file.write([[0, 1]])
    await until_known(zero, 421, key="other")
    assert_misdirected(await send(zero, "key"), 1)
    assert (await send(one, "key")).json() == first.json()
    other_body = await send(one, "key", {"email": "b@example.com"})
    assert other_body.status_code == 422
    assert other_body.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_a_slot_that_comes_back_finds_what_was_made_meanwhile(file, cells, serve_cell):
    zero, one = await serve_cell(0), await serve_cell(1)
    first = await send(zero, "first")
    file.write([[0, 1]])
    await until_known(one, 201, key="x")
    second = await send(one, "second")
    # Claimed, and never carried out.
    await cells[0].postgres.execute(
        "insert into prm_user_key (key, user_id, version) "
        "values (sha256('third'), -2, 1), (sha256('fourth'), -2, 1)"
    )
    file.write([[0, 1, 0]])
    await until_known(zero, 201, key="y")
    assert (await send(zero, "first")).json() == first.json()
    assert (await send(zero, "second")).json() == second.json()
    third = await send(zero, "third")
    assert (third.status_code, third.json()["id"] % 10_000) == (201, 0)
    file.write([[0, 1, 0, 1]])
    await until_known(one, 201, key="z")
    for key, user in (("first", first), ("second", second), ("third", third)):
        assert (await send(one, key)).json() == user.json()
    assert (await send(one, "fourth")).json()["id"] % 10_000 == 1
    for number, system in cells.items():
        assert await system.count("select count(*) from prm_user where id % 10000 <> $1", number) == 0


async def test_an_earlier_owner_that_is_away_costs_only_keys_that_it_may_have(file, cells, serve_cell):
    async with Proxy(port_of(cells[0].urls.postgres_service_url)) as name:
        by_way = CellsFileOfTests(file.path, {0: through(cells[0], postgres=name), 1: cells[1]})
        by_way.write([[0, 1], [1]])
        one = await serve_cell(1)
        assert (await send(one, "before")).status_code == 201
        name.fall_silent()
        keys = [f"k-{number}" for number in range(12)]
        answers = await asyncio.gather(*(send(one, key) for key in keys), *(send(one) for _ in keys))
        with_keys, without = answers[: len(keys)], answers[len(keys) :]
        assert {answer.status_code for answer in without} == {201}
        moved = [slot_of(key) % 2 == 0 for key in keys]
        assert {*moved} == {True, False}
        assert [answer.status_code for answer in with_keys] == [
            503 if is_moved else 201 for is_moved in moved
        ]
        assert all(answer.headers["retry-after"] for answer in with_keys if answer.status_code == 503)
        name.forward_again()
        for key in keys:
            await until_known(one, 201, key=key)
    assert await cells[1].count("select count(*) from prm_user where idempotency_key like 'k-%'") == len(keys)


async def test_a_draining_cell_takes_nothing_new_and_all_else_goes_on(file, serve_cell):
    zero, one = await serve_cell(0), await serve_cell(1)
    user = (await send(one)).json()
    file.write([[0]], draining=[1])
    await until_known(one, 503)
    refused = await send(one)
    assert refused.headers["retry-after"]
    assert "Cell 1 takes nothing new" in refused.json()["detail"]

    ready = await one.get("/health/ready")
    assert ready.status_code == 503
    assert "takes nothing new" in ready.json()["detail"]
    assert (await one.get("/health/ready?for=creates")).status_code == 503
    assert (await one.get("/health/ready?for=changes")).status_code == 200
    assert (await one.get("/health/ready?for=reads")).status_code == 400
    assert (await one.get("/health/read")).status_code == 200
    assert (await zero.get("/health/ready")).status_code == 200

    path = f"{COMMANDS}/{user['id']}"
    assert (await one.patch(path, json={"phone": "1"})).status_code == 200
    assert (await one.delete(path)).status_code == 204
    file.write([[0]])
    await until_known(one, 201)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_bad_file_changes_nothing(file, serve_cell, number):
    client = await serve_cell(number)
    before = (await send(client, "key")).status_code
    file.path.write_text("{")
    file.path.unlink()
    assert (await send(client, "key")).status_code == before


async def test_a_client_may_name_the_cell_and_its_key_is_known_everywhere_from_then_on(
    file, cells, serve_cell
):
    """As for an order of a user, which has to be in the user's cell."""
    file.write([[0]])
    zero, one = await serve_cell(0), await serve_cell(1)

    async def send_to(client, cell: int, key: str, **headers: str):
        named = {"Idempotency-Key": key, **headers}
        return await client.post(f"{COMMANDS}?seed=run&cell={cell}", json=USER, headers=named)

    assert_misdirected(await send_to(zero, 1, "key"), 1)
    assert_misdirected(await send_to(zero, 0, "key", **{"Tandem-Cell": "1"}), 1)
    assert (await send_to(zero, 0, "key", **{"Tandem-Cell": "one"})).status_code == 400
    first = await send_to(one, 1, "key")
    assert (first.status_code, first.json()["id"] % 10_000) == (201, 1)
    assert (await send_to(one, 1, "key")).json() == first.json()
    # Who has the slot, now or later, knows where it went.
    assert_misdirected(await send(zero, "key"), 1)
    file.write([[0, 1]])
    await until_known(one, 201, key="x")
    assert (await send(one, "key")).json() == first.json()
    # The other way round: who has the slot has it already.
    file.write([[0]])
    await until_known(zero, 201, key="y")
    assert (await send(zero, "other")).status_code == 201
    assert (await send_to(one, 1, "other")).json()["id"] % 10_000 == 0
    for system in cells.values():
        assert await system.count("select count(*) - count(distinct idempotency_key) from prm_user") == 0
