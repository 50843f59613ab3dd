"""One trace leads from a request to its user's SYNCRONIZED, through the batches that carry it."""

import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from command_line import run_tandem
from tandem_stack.ports import free_port
from trace_collector import CALLER, FOLLOWED, REQUEST, STEPS, TRACE, run_collector

NOT_FOLLOWED = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
URL = "/api/v1/user-command?seed=traced"


@pytest.fixture
async def collector():
    async with run_collector() as running:
        yield running


@pytest.fixture(scope="module")
async def one_followed(shared_serve):
    """A collector that has seen one request, of somebody who asked for a trace, and its user's way."""
    async with run_collector() as collector:
        served = await shared_serve("one", TRACES_URL=collector.url, TRACES_RATIO="0")
        answer = await served.client.post(URL, json={"email": "a@example.com"}, headers=FOLLOWED)
        assert answer.status_code == 201
        await collector.until_seen([REQUEST, *STEPS])
        yield collector


async def test_a_trace_leads_from_the_request_through_both_databases_to_its_end(one_followed):
    request, *steps = one_followed.of_trace(TRACE)
    assert (request.name, request.parent_id) == (REQUEST, CALLER)
    assert request.attributes["http.response.status_code"] == 201
    assert [step.name for step in steps] == STEPS
    assert {step.parent_id for step in steps} == {request.span_id}
    assert [step.attributes["db.system.name"] for step in steps] == ["postgresql", "mongodb", "postgresql"]


async def test_a_batch_and_the_users_that_it_carries_are_linked_both_ways(one_followed):
    request, *steps = one_followed.of_trace(TRACE)
    for step in steps:
        (batch,) = [span for span in one_followed.spans if step.links == [span.place]]
        assert batch.name == f"{step.name} batch"
        assert batch.trace_id != TRACE
        assert batch.links == [request.place]
        assert (batch.start, batch.end) == (step.start, step.end)


async def test_a_batch_says_what_it_does_and_where(one_followed, shared_system):
    batches = {span.name: span.attributes for span in one_followed.spans if span.name.endswith(" batch")}
    wanted = {
        "CreateUserCommand batch": ("BATCH INSERT", "prm_user", shared_system.urls.postgres_service_url),
        "CreateUserQueryCommand batch": ("BATCH insert", "users", shared_system.urls.mongodb_service_url),
        "SynchronizeUserCommand batch": ("BATCH UPDATE", "prm_user", shared_system.urls.postgres_service_url),
    }
    assert set(batches) == set(wanted)
    for name, (operation, collection, url) in wanted.items():
        attributes = batches[name]
        assert attributes["db.operation.name"] == operation
        assert attributes["db.collection.name"] == collection
        assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", urlsplit(url).port)
        # Of a URL's secrets nothing is told.
        assert urlsplit(url).password not in str(attributes)


async def test_a_request_is_sampled_at_random_but_not_where_its_caller_says_no(system, serve, collector):
    served = await serve("one", TRACES_URL=collector.url, TRACES_RATIO="1")
    await served.client.post(URL, json={"email": "a@example.com"}, headers=NOT_FOLLOWED)
    await served.client.post(URL, json={"email": "b@example.com"}, headers={"traceparent": "nonsense"})
    await system.until_synchronized(2)
    assert await served.terminate() == 0
    (request,) = [span for span in collector.spans if span.name == REQUEST]
    assert request.parent_id == ""
    assert sorted(collector.names(request.trace_id)) == sorted([REQUEST, *STEPS])
    assert collector.names(TRACE) == []
    kept = "select count(*) from prm_user_event where event_type = 'CREATED' and traceparent like $1"
    assert await system.count(kept, f"00-{request.trace_id}-{request.span_id}-%") == 1


async def test_what_is_sent_just_before_the_end_arrives(system, serve, collector):
    served = await serve("one", TRACES_URL=collector.url, TRACES_RATIO="0")
    await served.client.post(URL, json={"email": "a@example.com"}, headers=FOLLOWED)
    assert await served.terminate() == 0
    assert sorted(collector.names(TRACE)) == sorted([REQUEST, *STEPS])


async def test_without_a_collector_the_flow_goes_on_and_the_end_is_orderly(system, serve):
    nobody = f"http://127.0.0.1:{free_port()}/v1/traces"
    served = await serve("one", TRACES_URL=nobody, TRACES_RATIO="1")
    answer = await served.client.post(URL, json={"email": "a@example.com"})
    assert answer.status_code == 201
    await system.until_synchronized(1)
    assert await served.terminate() == 0


@pytest.mark.parametrize("given", ["ftp://collector/", "collector:4318"])
async def test_an_address_that_cannot_be_a_collector_s_is_refused(given):
    servers = {"POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none", "MONGODB_URL": "mongodb://127.0.0.1:1"}
    exit_code, said = await run_tandem("serve", **servers, TRACES_URL=given)
    assert exit_code == 1
    assert "TRACES_URL" in said


def test_who_traces_nothing_loads_nothing():
    program = "import sys, tandem.cli.serve, tandem.app.serve; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert "tandem.observability" in loaded
    assert "opentelemetry" not in loaded
