"""How a run went: made anew from both databases, kept, and never called equal where nothing was compared."""

import asyncio
import re
from functools import partial
from urllib.parse import quote

import pytest

from waiting import until

RUN = "/api/v1/runs/run"


def user(number: int) -> dict:
    """A user with a login of its own."""
    return {"email": f"{number}@example.com", "login": {"uuid": f"00000000-0000-4000-8000-{number:012}"}}


@pytest.fixture
async def run(system, serve):
    """An instance that has a run of ten users, one of them deleted and one updated."""
    served = await serve("instance-1", DATABASE_TIMEOUT_SECONDS="30")
    ids = []
    for number in range(10):
        answer = await served.client.post("/api/v1/user-command?seed=run", json=user(number))
        ids.append(answer.json()["id"])
    path = "/api/v1/user-command"
    assert (await served.client.delete(f"{path}/{ids[0]}")).status_code == 204
    assert (await served.client.patch(f"{path}/{ids[1]}", json={"phone": "1"})).status_code == 200
    other = await served.client.post("/api/v1/user-command?seed=other", json=user(99))
    assert other.status_code == 201
    await until_nothing_is_pending(system)
    served.ids = ids
    return served


async def until_nothing_is_pending(system) -> None:
    async def is_so() -> bool:
        return await system.count("select count(*) from prm_user_pending") == 0

    await until(is_so, "nothing pending")


async def judged(served, acknowledged=None, by=None, aggregate="user"):
    body = {"acknowledged": acknowledged, "countedBy": by}
    answer = await served.client.post(f"{RUN}/verdict?aggregate={aggregate}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_run_that_went_well(run):
    told = {"create": 10, "update": 1, "delete": 1}
    verdict = await judged(run, told, "server")
    assert re.fullmatch(r"10 users in \d\.\d s; 0 lost, 0 doubled; both stores equal", verdict["sentence"]), (
        verdict["sentence"]
    )
    assert (verdict["state"], verdict["isGood"]) == ("done", True)
    numbers = ("created", "updated", "deleted", "synchronized", "inPostgresql", "inMongodb", "doubledOf")
    assert [verdict[name] for name in numbers] == [10, 1, 1, 10, 9, 9, 10]
    assert (verdict["compared"]["checked"], verdict["compared"]["equal"]) == (10, 10)
    assert (verdict["acknowledged"], verdict["countedBy"]) == (told, "server")
    assert verdict["instances"] == ["instance-1"]
    assert (await run.client.get(f"{RUN}/verdict")).json() == verdict
    # Asked again without numbers, those that were said before still count.
    again = await judged(run)
    assert (again["acknowledged"], again["lost"]) == (told, 0)
    assert again["madeAt"] > verdict["madeAt"]
    runs = (await run.client.get("/api/v1/runs")).json()
    assert runs["verdicts"] == {
        "run": {name: again[name] for name in ("madeAt", "state", "isGood", "sentence")}
    }


async def test_what_is_lost_doubled_or_different_is_said_and_named(system, run):
    _, _, stale, missing, *_ = run.ids
    await system.users.update_one({"_id": stale}, {"$set": {"email": "changed@example.com"}})
    await system.users.delete_one({"_id": missing})
    await system.users.insert_one(
        {"_id": 7_000_000_000, "seed": "run", "email": "x@example.com", "version": 1}
    )
    await system.postgres.execute(
        "update prm_user_login set uuid = 'same' where user_id = any($1)", run.ids[8:]
    )
    verdict = await judged(run, {"create": 12, "update": 0, "delete": 0}, "browser")
    assert (verdict["lost"], verdict["doubled"], verdict["isGood"]) == (2, 1, False)
    differences = verdict["compared"]["differences"]
    assert (differences["missing"], differences["surplus"]) == (1, 1)
    named = {each["id"]: each["why"] for each in verdict["compared"]["named"]}
    assert named[str(stale)] == "differing: email"
    assert named[str(missing)] == "missing"
    assert "both stores equal" not in verdict["sentence"]
    assert "2 lost, 1 doubled" in verdict["sentence"]


async def test_documents_far_from_the_runs_ids_are_found_too(system, run):
    await system.users.insert_one({"_id": "text", "seed": "run", "version": 1})
    verdict = await judged(run)
    assert verdict["compared"]["differences"] == {"surplus": 1}
    assert (verdict["lost"], verdict["isGood"]) == (None, False)


async def test_dead_letters_and_what_is_pending_are_no_equality(system, run):
    await system.postgres.execute(
        "insert into prm_user_dead_letter select $1, version, 'MongoDB said no', 'instance-1', now() "
        "from prm_user where id = $1",
        run.ids[4],
    )
    verdict = await judged(run)
    assert verdict["namedLetters"] == [{"id": str(run.ids[4]), "why": "MongoDB said no"}]
    assert verdict["sentence"].endswith("1 dead letter")
    assert not verdict["isGood"]


async def test_a_run_that_there_is_not_has_no_verdict(shared_client):
    for form in ("", ".html"):
        assert (await shared_client.get(f"{RUN}-of-nobody/verdict{form}")).status_code == 404
    assert (await shared_client.post(f"{RUN}-of-nobody/verdict", json={})).status_code == 404
    for body, pointer in (
        ({"acknowledged": {"create": -1}}, "#/acknowledged/create"),
        ({"countedBy": "me"}, "#/countedBy"),
    ):
        answer = await shared_client.post(f"{RUN}/verdict", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert (await shared_client.get(f"{RUN}/verdict?aggregate=unicorn")).status_code == 400


async def test_the_file_says_the_same_and_runs_no_markup_of_a_seed(run):
    seed = "<b>&\"'?#"
    answer = await run.client.post("/api/v1/user-command", params={"seed": seed}, json=user(50))
    assert answer.status_code == 201
    path = f"/api/v1/runs/{quote(seed, safe='')}/verdict"
    assert (await run.client.post(path, json={})).json()["seed"] == seed
    page = await run.client.get(f"{path}.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in page.headers["content-security-policy"]
    assert "<b>" not in page.text
    assert "&lt;b&gt;&amp;" in page.text
    await judged(run)
    assert "both stores equal" in (await run.client.get(f"{RUN}/verdict.html")).text


@pytest.mark.slow
async def test_one_run_is_compared_at_a_time_and_what_takes_long_is_said_to_go_on(system, run):
    async with system.postgres.transaction():
        await system.postgres.execute("lock table prm_user_event in access exclusive mode")
        asked = asyncio.create_task(judged(run))
        await until(partial(is_being_judged, run), "how far it is")
        answer = await run.client.post("/api/v1/runs/other/verdict", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        verdict = await asked
        assert (verdict["state"], verdict["isGood"]) == ("comparing", None)
        assert verdict["sentence"] == "Comparing both databases: 10 of 10 users so far"

    async def is_done() -> bool:
        return (await run.client.get(f"{RUN}/verdict")).json()["state"] == "done"

    await until(is_done, "the verdict")


async def is_being_judged(served) -> bool:
    return (await served.client.get(f"{RUN}/verdict")).status_code == 200


async def test_who_compared_and_has_died_is_not_waited_for(system, run):
    await judged(run)
    await system.postgres.execute(
        "update tandem_verdict set verdict = (verdict::jsonb || jsonb_build_object('state', 'comparing', "
        "'madeAt', now() - interval '1 min'))::json"
    )
    verdict = (await run.client.get(f"{RUN}/verdict")).json()
    assert (verdict["state"], verdict["isGood"]) == ("failed", False)
    assert "the instance that compared has ended; ask again" in verdict["sentence"]
