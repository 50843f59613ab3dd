"""`tandem stats` for people and for programs."""

import json

from command_line import run_tandem


async def test_stats_shows_a_table_and_the_answer_as_it_is(system, serve):
    served = await serve("instance-1")
    url = str(served.client.base_url)
    assert await run_tandem("stats", "--url", url) == (0, "No users yet.\n")
    await served.client.post("/api/v1/user-command?seed=shown", json={"email": "a@b"})
    await system.until_synchronized(1)
    code, table = await run_tandem("stats", "--url", url, COLUMNS="120")
    assert code == 0
    assert "shown" in table
    assert "instance-1" in table
    code, answer = await run_tandem("stats", "--json", "--seed", "shown", "--url", url)
    assert json.loads(answer) == (await served.client.get("/api/v1/stats?seed=shown")).json()
    assert json.loads((await run_tandem("stats", "--json", "--seed", "other", "--url", url))[1]) == []


async def test_stats_says_what_to_do_when_nothing_runs(tmp_path):
    for arguments, said in (
        (["--data-dir", str(tmp_path)], "tandem up"),
        (["--url", "http://127.0.0.1:1"], "127.0.0.1:1"),
        (["--url", "nonsense"], "http://"),
        (["--url", "http://127.0.0.1:1", "--seed", ""], "127.0.0.1:1"),
    ):
        code, output = await run_tandem("stats", *arguments)
        assert code == 1
        assert said in output
        assert "Traceback" not in output
