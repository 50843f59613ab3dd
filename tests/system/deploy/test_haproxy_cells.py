"""HAProxy in front of several cells: who is asked what, and who answers where some cannot."""

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from haproxy_in_front import Running, run_haproxy
from tandem.config.cells import SLOTS, slot_of
from tandem.ids import CELL_STEP, FIRST_ID_OF_CELLS, HIGHEST_ID, cell_of
from tandem_stack.haproxy import CellInstances, configuration, slots_map
from upstreams import Upstream, ask, hang_up, run_upstreams
from waiting import until

CREATE = "/api/v1/user-command"
USERS = "/api/v1/user-query"
# Keys are printable ASCII, without double quotes (`tandem.delivery.idempotency`).
KEY_CHARACTERS = [chr(code) for code in range(0x20, 0x7F) if code != 0x22]


class Instance:
    """One that says of itself what a test wants, and answers everything else with its cell's number."""

    def __init__(self, cell: int) -> None:
        self.cell = cell
        #: What it says no to: "/health/ready", "/health/ready?for=changes", "/health/read".
        self.refuses: set[str] = set()
        self.hangs_up = False
        self.upstream: Upstream | None = None
        self.address = ""

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.upstream is not None
        path = self.upstream.requests[-1].split(b" ", 2)[1].decode()
        if self.hangs_up and not path.startswith("/health/"):
            await hang_up(reader, writer)
            return
        status = "503 No" if path in self.refuses else "200 OK"
        body = f"cell {self.cell}"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    @property
    def requests(self) -> list[bytes]:
        """What clients have asked it for."""
        assert self.upstream is not None
        return [request for request in self.upstream.requests if b" /health/" not in request]


@dataclass
class Cells:
    """HAProxy in front of some cells of some instances each."""

    haproxy: Running
    client: httpx.AsyncClient
    of: dict[int, list[Instance]]
    slots: list[list[int]]
    table: Path
    _described: list[CellInstances]

    async def who(self, method: str, path: str, **headers: str) -> str:
        """What was answered: the cell, or a status that is not 200."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.request(method, path, headers=named)
        return answer.text if answer.status_code == 200 else str(answer.status_code)

    def reload(self, *numbers: int) -> None:
        """Have these cells alone take new users, and all slots."""
        listen = f"127.0.0.1:{self.haproxy.port}"
        described = [replace(cell, draining=cell.number not in numbers) for cell in self._described]
        self.haproxy.config.write_text(configuration(listen, described, self.table))
        self.table.write_text(slots_map([[random.choice(numbers)] for _ in range(SLOTS)]))
        self.haproxy.process.send_signal(signal.SIGUSR2)


@pytest.fixture(scope="module")
def program(require_program) -> str:
    return require_program("haproxy", "haproxy")


@asynccontextmanager
async def run_cells(
    program: str, place: Path, sizes: dict[int, int], *options: str, draining: int | None = None
) -> AsyncIterator[Cells]:
    """HAProxy in front of cells: the number of instances for each cell's number."""
    groups = {cell: [Instance(cell) for _ in range(size)] for cell, size in sizes.items()}
    flat = [instance for group in groups.values() for instance in group]
    slots = [[random.choice(list(sizes))] for _ in range(SLOTS)]
    table = place / "slots.map"
    table.write_text(slots_map(slots))
    async with run_upstreams(*(instance.behave for instance in flat)) as (ports, upstreams):
        for instance, upstream, port in zip(flat, upstreams, ports, strict=True):
            instance.upstream, instance.address = upstream, f"127.0.0.1:{port}"
        described = [
            CellInstances(number=cell, addresses=[one.address for one in group], draining=cell == draining)
            for cell, group in groups.items()
        ]
        async with (
            # Making a client takes a while, in which no upstream could say how it is.
            httpx.AsyncClient(timeout=20) as client,
            run_haproxy(program, place, lambda at: configuration(at, described, table), *options) as haproxy,
        ):
            client.base_url = f"http://127.0.0.1:{haproxy.port}"
            yield Cells(haproxy, client, groups, slots, table, described)


def random_key() -> str:
    return "".join(random.choices(KEY_CHARACTERS, k=random.randint(1, 128))).strip() or "k"


async def test_a_key_leads_to_the_cell_that_has_its_slot(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 1, 9999: 1}) as cells:
        for _ in range(300):
            key = random_key()
            expected = f"cell {cells.slots[slot_of(key)][-1]}"
            assert await cells.who("POST", CREATE, Idempotency_Key=key) == expected, key
            assert await cells.who("POST", CREATE, Idempotency_Key=f'"{key}"') == expected, key


async def test_an_id_leads_to_its_cell(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 1, 9999: 1}) as cells:
        first, highest = FIRST_ID_OF_CELLS, HIGHEST_ID // CELL_STEP * CELL_STEP
        without_cells = [1, 3, 10_003, first - 1]
        for id_ in (*without_cells, first, first + 3, first + 9_999, first + 70_003, highest, highest - 1):
            expected = f"cell {cell_of(id_)}"
            assert await cells.who("PATCH", f"{CREATE}/{id_}") == expected
            assert await cells.who("DELETE", f"{CREATE}/{id_}?erase=true", Idempotency_Key="k") == expected
            assert await cells.who("GET", f"{USERS}/{id_}?version=3") == expected
            assert await cells.who("GET", f"{CREATE}/{id_}/events") == expected
            assert (
                await cells.who("POST", f"/api/v1/order-command/{id_}/pay", Idempotency_Key="k") == expected
            )


async def test_an_id_of_no_cell_is_not_found(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 1}) as cells:
        for method in ("GET", "PATCH", "DELETE"):
            request = f"{method} {CREATE}/{FIRST_ID_OF_CELLS + 4} HTTP/1.1\r\nHost: test\r\n\r\n"
            status, headers, body = await ask(cells.haproxy.port, request)
            assert (status, headers["content-type"]) == (404, "application/problem+json")
            assert json.loads(body)["status"] == 404
        assert await cells.who("POST", CREATE, Tandem_Cell="4") == "404"
        assert await cells.who("GET", f"{USERS}?cell=4") == "404"


async def test_what_is_no_id_and_no_cell_is_refused_by_an_instance_itself(program, tmp_path):
    async with run_cells(program, tmp_path, {3: 1}) as cells:
        for id_ in ("0", str(HIGHEST_ID + 1), "9" * 30, "abc", "-1", "1e3", "%00"):
            assert await cells.who("GET", f"{USERS}/{id_}") == "cell 3"
            assert await cells.who("PATCH", f"{CREATE}/{id_}") == "cell 3"
        for cell in ("x", "-1", "10000", "1.5"):
            assert await cells.who("POST", f"{CREATE}?cell={cell}") == "cell 3"
            assert await cells.who("GET", USERS, Tandem_Cell=cell) == "cell 3"
        assert await cells.who("POST", CREATE, Idempotency_Key="") == "cell 3"


async def test_a_cell_can_be_named(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2, 12: 1}) as cells:
        for _ in range(4):
            for cell in (0, 3, 12):
                named = f"cell {cell}"
                assert await cells.who("GET", f"{USERS}?seed=a&cell={cell}") == named
                assert await cells.who("GET", "/api/v1/stats", Tandem_Cell=str(cell)) == named
                assert await cells.who("POST", f"{CREATE}?cell={cell}") == named
                assert await cells.who("POST", CREATE, Tandem_Cell=str(cell), Idempotency_Key="k") == named


async def test_commands_that_create_go_to_all_cells_that_take_new_users(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2, 7: 1}, draining=0) as cells:
        found = Counter([await cells.who("POST", CREATE) for _ in range(40)])
        assert found == {"cell 3": found["cell 3"], "cell 7": found["cell 7"]}
        assert min(found.values()) >= 10
        # All else goes on where no new users are taken.
        assert await cells.who("PATCH", f"{CREATE}/1") == "cell 0"
        assert await cells.who("GET", f"{USERS}/1") == "cell 0"
        assert {await cells.who("GET", USERS) for _ in range(40)} == {"cell 0", "cell 3", "cell 7"}


async def test_a_cell_that_is_not_ready_for_new_users_still_gets_changes(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 1}) as cells:
        cells.of[3][0].refuses = {"/health/ready"}

        async def is_left_out() -> bool:
            return {await cells.who("POST", CREATE) for _ in range(6)} == {"cell 0"}

        await until(is_left_out, "only cell 0 gets new users")
        for _ in range(4):
            assert await cells.who("PATCH", f"{CREATE}/{FIRST_ID_OF_CELLS + 3}") == "cell 3"
            assert await cells.who("GET", f"{USERS}/{FIRST_ID_OF_CELLS + 3}") == "cell 3"


async def test_reads_go_on_where_a_cell_takes_no_commands(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2}) as cells:
        for instance in cells.of[3]:
            instance.refuses = {"/health/ready", "/health/ready?for=changes"}
        one = FIRST_ID_OF_CELLS + 3

        async def refuses_commands() -> bool:
            return {await cells.who("PATCH", f"{CREATE}/{one}") for _ in range(4)} == {"503"}

        await until(refuses_commands, "cell 3 gets no commands")
        assert await cells.who("DELETE", f"{CREATE}/{one}", Idempotency_Key="k") == "503"
        assert await cells.who("PATCH", f"{CREATE}/1") == "cell 0"
        assert await cells.who("GET", f"{USERS}/{one}") == "cell 3"
        assert {await cells.who("GET", USERS) for _ in range(20)} == {"cell 0", "cell 3"}

        async def creates_elsewhere() -> bool:
            return {await cells.who("POST", CREATE) for _ in range(8)} == {"cell 0"}

        await until(creates_elsewhere, "cell 3 gets no new users")


async def test_a_cell_of_which_only_one_instance_takes_commands_goes_on(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2}) as cells:
        sick, well = cells.of[3]
        sick.refuses = {"/health/ready", "/health/ready?for=changes"}

        async def is_left_out() -> bool:
            before = len(sick.requests)
            for _ in range(6):
                await cells.who("PATCH", f"{CREATE}/{FIRST_ID_OF_CELLS + 3}")
                await cells.who("PATCH", f"{CREATE}/{FIRST_ID_OF_CELLS + 3}", Idempotency_Key="k")
            return len(sick.requests) == before

        await until(is_left_out, "the other instance gets all commands")
        assert len(well.requests) >= 12


async def test_others_read_for_a_cell_whose_instances_are_away(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 1, 5: 1, 6: 1}) as cells:
        for cell in (3, 5):
            cells.of[cell][0].refuses = {"/health/read"}
        one = FIRST_ID_OF_CELLS + 3

        async def is_read_elsewhere() -> bool:
            return {await cells.who("GET", f"{USERS}/{one}") for _ in range(6)} <= {"cell 0", "cell 6"}

        await until(is_read_elsewhere, "the reads of cell 3 go to other cells")


async def test_a_read_of_a_cell_that_hangs_up_is_sent_again(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2}) as cells:
        cells.of[3][0].hangs_up = True
        one = FIRST_ID_OF_CELLS + 3
        for _ in range(4):
            assert await cells.who("GET", f"{USERS}/{one}") == "cell 3"
            assert await cells.who("PATCH", f"{CREATE}/{one}", Idempotency_Key="k") == "cell 3"


async def test_a_command_without_a_key_is_never_sent_again_in_its_cell_either(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 1, 3: 2}) as cells:
        for instance in cells.of[3]:
            instance.hangs_up = True
        answer = await cells.client.patch(f"{CREATE}/{FIRST_ID_OF_CELLS + 3}")
        assert answer.status_code == 502
        assert "may have been carried out" in answer.json()["detail"]
        assert sum(len(instance.requests) for instance in cells.of[3]) == 1


async def test_nothing_is_lost_while_cells_are_changed_under_load(program, tmp_path):
    async with run_cells(program, tmp_path, {0: 2, 3: 2, 5: 1}, "-W") as cells:
        found: Counter[str] = Counter()
        ended = asyncio.Event()

        async def ask_and_ask() -> None:
            while not ended.is_set():
                found[await cells.who("POST", CREATE)] += 1
                found[await cells.who("POST", CREATE, Idempotency_Key=random_key())] += 1

        async def only_from(*numbers: int) -> None:
            """Wait until all commands go to these cells."""

            async def go_there() -> bool:
                found.clear()
                await asyncio.sleep(0.3)
                unexpected.update(found.keys() - {"cell 0", "cell 3", "cell 5"})
                return found.keys() == {f"cell {number}" for number in numbers}

            await until(go_there, f"the cells {numbers} get all commands")

        unexpected: set[str] = set()
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(ask_and_ask())
            try:
                await only_from(0, 3, 5)
                for numbers in ((0, 3), (3, 5), (5,), (0, 3, 5)):
                    cells.reload(*numbers)
                    await only_from(*numbers)
            finally:
                ended.set()
        assert not unexpected
