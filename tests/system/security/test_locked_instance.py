"""An instance whose door is locked, from the command that makes a token to the answers it opens."""

import pytest

from command_line import run_tandem

UNUSED = {"POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none", "MONGODB_URL": "mongodb://127.0.0.1:1"}
COMMAND, QUERY, FEED, OPERATOR = "command", "query", "feed", "operator"
WANTED = {
    "POST /api/v1/user-command": COMMAND,
    "GET /api/v1/random-users": COMMAND,
    "PATCH /api/v1/user-command/{id}": COMMAND,
    "DELETE /api/v1/user-command/{id}": COMMAND,
    "GET /api/v1/user-command/{id}": QUERY,
    "GET /api/v1/user-command/{id}/events": QUERY,
    "GET /api/v1/user-query": QUERY,
    "GET /api/v1/user-query/{id}": QUERY,
    "GET /api/v1/user-query/email": QUERY,
    "GET /api/v1/user-query/search": QUERY,
    "GET /api/v1/events": FEED,
    "GET /api/v1/live": OPERATOR,
    "GET /api/v1/runs": OPERATOR,
    "POST /api/v1/runs/{seed}/happenings": OPERATOR,
    "POST /api/v1/runs/{seed}/verdict": OPERATOR,
    "GET /api/v1/runs/{seed}/verdict": OPERATOR,
    "GET /api/v1/runs/{seed}/verdict.html": OPERATOR,
    "GET /api/v1/stats": OPERATOR,
    "GET /api/v1/stats/described": OPERATOR,
    "GET /api/v1/verification": OPERATOR,
    "GET /api/v1/dead-letters": OPERATOR,
    "GET /api/v1/dead-letters/{id}": OPERATOR,
    "POST /api/v1/dead-letters/{id}/retry": OPERATOR,
    "POST /api/v1/dead-letters/{id}/replace": OPERATOR,
    "POST /api/v1/dead-letters/retry": OPERATOR,
    "GET /health/flow": OPERATOR,
    "GET /metrics": OPERATOR,
    "GET /api/v1/aggregates": OPERATOR,
    "GET /health/live": None,
    "GET /health/ready": None,
    "GET /health/read": None,
    "GET /api-json": None,
}
USER = {"email": "jane@example.com"}


@pytest.fixture(scope="module")
async def locked(shared_serve, key_pair):
    """A client of one instance for all of these tests."""
    served = await shared_serve("locked", TOKEN_KEYS_FILE=str(key_pair.public))
    return served.client


async def test_every_route_wants_the_right_that_the_documents_say(locked, key_pair):
    paths = (await locked.get("/api-json")).json()["paths"]
    found = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            security = operation.get("security")
            found[f"{method.upper()} {path}"] = security and security[0]["token"][0]
    assert found == WANTED

    rights = {COMMAND, QUERY, FEED, OPERATOR}
    others = {right: await key_pair.bearer(*(rights - {right})) for right in rights}
    for route, right in WANTED.items():
        method, path = route.split()
        path = path.replace("{id}", "1").replace("{seed}", "s")
        anonymous = await locked.request(method, path, headers={"Content-Type": "application/json"})
        if right is None:
            assert anonymous.status_code == 200, route
        else:
            assert anonymous.status_code == 401, route
            refused = await locked.request(method, path, headers=others[right])
            assert (refused.status_code, f"'{right}'" in refused.json()["detail"]) == (403, True), route


async def test_tokens_of_the_command_line_open_what_their_rights_say(locked, key_pair):
    sent = await locked.post("/api/v1/user-command?seed=s", json=USER, headers=await key_pair.bearer(COMMAND))
    assert sent.status_code == 201
    both = await key_pair.bearer(QUERY, OPERATOR)
    assert (await locked.get(sent.headers["location"], headers=both)).json()["email"] == USER["email"]
    assert (await locked.get("/api/v1/stats?seed=s", headers=both)).json()[0]["total"] == 1
    assert (await locked.post("/api/v1/user-command", json=USER, headers=both)).status_code == 403


async def test_the_page_and_swagger_come_without_a_token(locked):
    for path in ("/", "/client/main.js", "/api"):
        assert (await locked.get(path)).status_code == 200


async def test_commands_for_operators_send_the_token_of_their_environment(locked, key_pair):
    url = str(locked.base_url)
    exit_code, said = await run_tandem("stats", "--url", url)
    assert (exit_code, "access token" in said) == (1, True)
    exit_code, said = await run_tandem(
        *("stats", "--url", url, "--seed", "nobody"), TANDEM_TOKEN=await key_pair.token(OPERATOR)
    )
    assert (exit_code, said) == (0, "No users in the run 'nobody'.\n")


async def test_the_feed_tells_only_those_who_may_follow_it(locked, key_pair):
    sent = await locked.post("/api/v1/user-command?seed=s", json=USER, headers=await key_pair.bearer(COMMAND))
    assert sent.status_code == 201
    for accept in ("application/x-ndjson", "text/event-stream"):
        others = await key_pair.bearer(COMMAND, QUERY, OPERATOR)
        refused = await locked.get("/api/v1/events", headers={"Accept": accept, **others})
        assert (refused.status_code, "example.com" in refused.text) == (403, False)
    url, token = str(locked.base_url), await key_pair.token(FEED)
    exit_code, said = await run_tandem("events", "tail", "--url", url, "--json", TANDEM_TOKEN=token)
    assert (exit_code, USER["email"] in said) == (0, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "tandem.example"])
async def test_an_instance_that_others_could_reach_does_not_start_with_an_open_door(host):
    exit_code, said = await run_tandem("serve", HOST=host, **UNUSED)
    assert exit_code == 1
    assert said.startswith(f"Error: HOST is {host}: ")
    assert "TOKEN_KEYS_FILE" in said
    assert "ALLOW_UNAUTHENTICATED=true" in said


async def test_it_starts_where_something_else_guards_it_or_its_door_is_locked(serve, key_pair):
    for name, settings in (
        ("guarded", {"ALLOW_UNAUTHENTICATED": "true"}),
        ("locked", {"TOKEN_KEYS_FILE": str(key_pair.public)}),
    ):
        served = await serve(name, HOST="0.0.0.0", **settings)
        assert (await served.client.get("/health/live")).status_code == 200


async def test_keys_that_cannot_be_used_are_named_before_anything_starts(key_pair, tmp_path):
    for file, words in ((tmp_path / "none", "cannot be read"), (key_pair.private, "a private key")):
        exit_code, said = await run_tandem("serve", TOKEN_KEYS_FILE=str(file), **UNUSED)
        assert exit_code == 1
        assert said.startswith(f"Error: TOKEN_KEYS_FILE: {file} ")
        assert words in said
    exit_code, said = await run_tandem("token", "--key-file", str(key_pair.public), "--scope", "query")
    assert (exit_code, "no private key" in said) == (1, True)
