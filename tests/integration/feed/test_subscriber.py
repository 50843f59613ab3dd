"""`examples/subscriber`: killed again and again under load, its file has what PostgreSQL has."""

import asyncio
import json
import random
import sqlite3
import sys

import pytest

from places import ROOT
from waiting import until

PROGRAM = ROOT / "examples" / "subscriber" / "subscriber.py"
PATCH = {"Content-Type": "application/merge-patch+json"}
OF_THE_ROW = ("_id", "seed", "appId", "version", "createdAt", "updatedAt")
GONE = {"DELETED", "ERASED"}


class Subscriber:
    """The program, which can be killed and started again on its file."""

    def __init__(self, url, file):
        self._arguments = (sys.executable, str(PROGRAM), "--url", str(url), str(file))
        self._file = file
        self._process = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(*self._arguments, stderr=asyncio.subprocess.PIPE)

    async def kill(self):
        assert self._process.returncode is None, (await self._process.communicate())[1].decode()
        self._process.kill()
        await self._process.wait()

    def has_more_than(self, seen, loading):
        """Whether it has more users, or nothing more need come."""

        async def has():
            return loading.done() or len(self.rows()) > seen

        return has

    def rows(self):
        """Version, status and state of each user in its file."""
        store = sqlite3.connect(self._file, timeout=20)
        try:
            found = store.execute("SELECT id, version, status, data FROM state").fetchall()
        except sqlite3.OperationalError:
            return {}  # it has just begun to make its tables
        finally:
            store.close()
        return {id_: (version, status, json.loads(data)) for id_, version, status, data in found}


async def live(client, chance, number):
    """The life of one user, of random length."""
    sent = await client.post("/api/v1/user-command?seed=s", json={"email": f"{number}@b", "phone": "1"})
    path = f"/api/v1/user-command/{sent.json()['id']}"
    for step in range(chance.randint(0, 3)):
        body = {"phone": None} if chance.random() < 0.3 else {"name": {"first": str(step)}}
        assert (await client.patch(path, json=body, headers=PATCH)).status_code == 200
    if chance.random() < 0.3:
        assert (
            await client.delete(path, params={"erase": chance.choice(["true", "false"])})
        ).status_code == 204


async def expected(client, system):
    """What the file must have in the end."""
    found = {}
    for row in await system.postgres.fetch("select id, version, status::text from prm_user"):
        if row["status"] in GONE:
            found[row["id"]] = (row["version"], row["status"], None)
        else:
            query = {"version": row["version"]}
            state = (await client.get(f"/api/v1/user-command/{row['id']}", params=query)).json()
            state = {name: value for name, value in state.items() if name not in OF_THE_ROW}
            found[row["id"]] = (row["version"], None, state)
    return found


def without_stage(rows):
    """The same, of users that are still there without the name of their last event."""
    return {
        id_: (version, status if status in GONE else None, state)
        for id_, (version, status, state) in rows.items()
    }


@pytest.mark.slow
async def test_it_is_killed_under_load_and_has_what_postgresql_has(serve, system, tmp_path):
    served = await serve("instance-1")
    subscriber, chance = Subscriber(served.client.base_url, tmp_path / "users.db"), random.Random(1)

    async def load(first):
        for number in range(first, first + 60):
            await live(served.client, chance, number)

    loading = asyncio.gather(*(load(first) for first in range(0, 300, 60)))
    kills = 0
    while not loading.done() or kills < 5:
        await subscriber.start()
        await until(subscriber.has_more_than(len(subscriber.rows()), loading), "more in the file")
        await subscriber.kill()
        kills += 1
    await loading
    await subscriber.start()
    wanted = await expected(served.client, system)
    assert len(wanted) == 300
    await until(lambda: asyncio.sleep(0, without_stage(subscriber.rows()) == wanted), "the same in both")
    await subscriber.kill()


async def test_it_says_why_it_cannot_go_on(serve, tmp_path):
    served = await serve("instance-1")
    with sqlite3.connect(tmp_path / "users.db") as store:
        store.execute("CREATE TABLE place (cursor TEXT, history INTEGER)")
        store.execute("INSERT INTO place VALUES ('1-1-999999-user-9', 1)")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), "--url", str(served.client.base_url), str(tmp_path / "users.db")),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"Begin anew" in said
    assert b"Traceback" not in said
