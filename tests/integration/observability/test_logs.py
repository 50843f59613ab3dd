"""What an instance logs: for programs or for people, with what a line belongs to, and nothing about users."""

import json

import pytest

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
USER = {"email": "marker@example.com", "name": {"first": "Markerfirst"}}
QUOTES_THE_USER = "ALTER TABLE prm_user ADD CONSTRAINT no_markers CHECK (email NOT LIKE 'marker%')"


@pytest.fixture
async def failing(system):
    """PostgreSQL refuses the user in words that quote its whole row."""
    await system.postgres.execute(QUOTES_THE_USER)


async def fail(served) -> None:
    """Ask for the user that cannot be stored, and for one by its address."""
    answer = await served.client.post("/api/v1/user-command?seed=log+run", json=USER, headers=HEADERS)
    assert answer.status_code == 500
    assert "marker" not in answer.text.lower()
    await served.client.get("/api/v1/user-query/email?email=marker@example.com")


async def test_an_error_is_one_json_line_that_says_where_and_of_which_run_and_trace(failing, serve):
    served = await serve("logging")
    await fail(served)
    objects = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    (failed,) = [line for line in objects if line["level"] == "error"]
    assert failed["message"] == "POST /api/v1/user-command failed"
    assert (failed["app_id"], failed["seed"], failed["trace_id"]) == ("logging", "log run", TRACE)
    assert "CheckViolationError" in failed["error"]
    assert "repository.py" in failed["error"]


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_nothing_about_a_user_is_logged_above_debug(failing, serve, log_format):
    served = await serve("quiet", LOG_FORMAT=log_format)
    await fail(served)
    said = served.log.read_text()
    assert "POST /api/v1/user-command failed" in said
    assert "marker" not in said.lower()


async def test_at_debug_there_is_a_line_for_each_request_and_what_errors_say(failing, serve):
    served = await serve("verbose", LOG_LEVEL="debug", LOG_FORMAT="text")
    await fail(served)
    said = served.log.read_text()
    assert "POST /api/v1/user-command 500 in " in said
    assert f"seed=log run trace_id={TRACE}" in said
    assert "GET /api/v1/user-query/email 404 in " in said
    assert "Failing row contains" in said


async def test_no_line_holds_the_password_of_a_database(system, serve):
    served = await serve("secret", LOG_LEVEL="debug")
    await served.client.get("/health/flow")
    said = served.log.read_text()
    for url in (system.urls.postgres_service_url, system.urls.mongodb_service_url):
        password = url.partition("://")[2].partition("@")[0].partition(":")[2]
        assert len(password) > 8
        assert password not in said
