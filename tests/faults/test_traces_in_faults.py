"""A trace goes on where its user does."""

from obstacles import failing_mongodb
from trace_collector import FOLLOWED, REQUEST, STEPS, TRACE, run_collector

OUT_OF_DISK_SPACE = 14031


async def test_when_an_instance_dies_the_trace_goes_on_in_the_one_that_takes_over(servers, system, serve):
    async with run_collector() as collector:
        tracing = {"TRACES_URL": collector.url, "TRACES_RATIO": "0", "LEASE_SECONDS": "2"}
        victim = await serve("victim", **tracing)
        async with failing_mongodb(servers, "victim", errorCode=OUT_OF_DISK_SPACE) as failpoint:
            user = {"email": "a@example.com"}
            await victim.client.post("/api/v1/user-command?seed=traced", json=user, headers=FOLLOWED)
            await failpoint.until_struck()
            await collector.until_seen([REQUEST, STEPS[0]])
            await victim.kill()
            survivor = await serve("survivor", **tracing)
            await collector.until_seen([REQUEST, *STEPS])
    request, create, project, write_back = collector.of_trace(TRACE)
    assert (request.instance, create.instance) == ("victim", "victim")
    assert (project.instance, write_back.instance) == ("survivor", "survivor")
    assert project.parent_id == write_back.parent_id == request.span_id
    assert "tandem_taken_over_users_total 1.0" in (await survivor.client.get("/metrics")).text
