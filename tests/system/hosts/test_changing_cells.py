"""`tandem cells` on a running stack: cells are added and drained under load, and nothing fails."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from command_line import finished, run_tandem
from tandem.config.cells import slot_of
from tandem.ids import cell_of
from tandem_stack.hosts.desired import read_desired
from up_process import Up, run_up
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Up]:
    """Two cells of one database host each."""
    with run_up(place / "changing", "--hosts", "--cells", "2") as running:
        yield running


@dataclass
class Load:
    """Clients that create users with and without keys, change and read them, and write down every answer."""

    client: httpx.AsyncClient
    #: Each user that was acknowledged, by its id; the key that it was created with, or None.
    users: dict[int, str | None] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    #: In which cells users were created, since this was cleared.
    cells: Counter[int] = field(default_factory=Counter)

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """An answer that is as it should be; the others are counted."""
        try:
            answer = await self.client.request(method, path, **more)
        except httpx.TransportError as error:
            self.failed[f"{method} {error!r}"] += 1
            return None
        if answer.is_success:
            return answer
        self.failed[f"{method} {answer.status_code} {answer.text}"] += 1
        return None

    async def create(self, key: str | None) -> int | None:
        body = {"email": f"{key or 'none'}@example.org".replace(" ", "")}
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.send("POST", "/api/v1/user-command?seed=c", json=body, headers=headers)
        return None if answer is None else answer.json()["id"]

    async def keep_on(self, name: int) -> None:
        """One client: this goes on until it is cancelled."""
        number = 0
        while True:
            number += 1
            key = f"{name}-{number}" if number % 2 else None
            user = await self.create(key)
            if user is None:
                continue
            self.users[user] = key
            self.cells[cell_of(user)] += 1
            other, other_key = random.choice(list(self.users.items()))
            await self.send("PATCH", f"/api/v1/user-command/{other}", json={"phone": f"{number}"})
            await self.send("GET", f"/api/v1/user-command/{other}")
            if other_key and (again := await self.create(other_key)) not in {None, other}:
                self.failed[f"the key {other_key} has created {other} and {again}"] += 1


async def tandem_cells(stack: Up, *words: str) -> str:
    code, said = await run_tandem("cells", *words, "--data-dir", str(stack.data_dir))
    assert code == 0, said
    return said


async def test_cells_are_added_and_drained_under_load_and_nothing_fails(stack: Up):
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        load = Load(client)

        async def until_users_come_to(*numbers: int) -> None:
            load.cells.clear()

            async def they_do() -> bool:
                return load.cells.keys() == set(numbers) and min(load.cells.values()) > 10

            await until(they_do, f"users are created in the cells {numbers}")

        clients = [asyncio.create_task(load.keep_on(name)) for name in range(6)]
        try:
            await until_users_come_to(0, 1)
            assert await tandem_cells(stack, "add") == "Cell 2 takes users.\n"
            await until_users_come_to(0, 1, 2)
            await tandem_cells(stack, "drain", "0")
            await until_users_come_to(1, 2)
            assert await tandem_cells(stack, "add") == "Cell 3 takes users.\n"
            await until_users_come_to(1, 2, 3)
        finally:
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        assert not load.failed

        # Whoever sends a key again gets its first user, in whichever cell that is.
        keyed = [(user, key) for user, key in load.users.items() if key]
        slots = read_desired(stack.data_dir).slots
        assert any(slots[slot_of(key)][-1] != cell_of(user) for user, key in keyed)
        for user, key in keyed:
            assert await load.create(key) == user
        assert not load.failed


async def test_cells_are_listed(stack: Up):
    lines = (await tandem_cells(stack, "list")).splitlines()
    rows = [line.split() for line in lines]
    assert rows[0] == ["cell", "state", "users", "hosts"]
    assert [row[:2] for row in rows[1:]] == [
        ["0", "draining"],
        ["1", "ready"],
        ["2", "ready"],
        ["3", "ready"],
    ]
    assert all(int(row[2].replace(",", "")) > 0 for row in rows[1:])


def test_what_cannot_be_drained_is_said(stack: Up, tmp_path: Path):
    for words, said in (
        (("drain", "0"), "Cell 0 is being drained already."),
        (("drain", "7"), "There is no cell 7. There are: 0, 1, 2, 3."),
        (("drain", "-1"), "No such option"),
    ):
        refused = finished("cells", *words, "--data-dir", stack.data_dir)
        assert refused.returncode != 0
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    for words in (("add",), ("drain", "0"), ("list",)):
        refused = finished("cells", *words, "--data-dir", tmp_path)
        assert refused.returncode == 1
        assert "No stack of hosts is running" in refused.stderr + refused.stdout
