"""Without tokens: pages of other sites may not use a browser that can reach us."""

import pytest

from tandem.http.authentication import SameSiteOnly
from tandem.http.requests import json_response
from tandem.http.routes import Route
from web_example import ROUTES

QUERY = "/things?seed=s"


@pytest.fixture
async def client(serving):
    async def fine(_):
        return json_response("fine")

    open_to_all = Route("GET", "/open", fine, "For everybody", scope=None)
    async with serving([*ROUTES, open_to_all], authenticator=SameSiteOnly(["Tandem.Example"])) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "192.168.1.7:8080",
        "[::1]:8080",
        "localhost:8080",
        "LOCALHOST",
        "localhost.:8080",
        "tandem.localhost:8080",
        "tandem.example",
        "TANDEM.example:8080",
    ],
)
async def test_addresses_localhost_and_known_names_are_answered(client, host):
    assert (await client.get(QUERY, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "tandem.example.evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil",
        "evil-localhost",
        "[evil.example]:80",
        "evil.example:80@127.0.0.1",
    ],
)
async def test_a_name_that_leads_here_by_a_trick_is_told_nothing(client, host):
    answer = await client.get(QUERY, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ALLOWED_HOSTS" in answer.json()["detail"]
    assert (await client.get("/open", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(client, headers):
    answer = await client.post(QUERY, json={"name": "a"}, headers=headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_our_own_page_and_other_programs_may_change_things(client):
    own = f"http://127.0.0.1:{client.base_url.port}"
    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": own}):
        assert (await client.post(QUERY, json={"name": "a"}, headers=headers)).status_code == 201


async def test_no_other_site_is_allowed_to_send_json_or_to_read(client):
    asked_first = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    asked = await client.options(QUERY, headers=asked_first)
    assert asked.status_code == 405
    for answer in (asked, await client.get(QUERY, headers=asked_first)):
        assert [name for name in answer.headers if name.startswith("access-control-")] == []
    # What needs no such question, a form, is not JSON.
    form = {"Content-Type": "text/plain"}
    assert (await client.post(QUERY, content='{"name":"a"}', headers=form)).status_code == 415
