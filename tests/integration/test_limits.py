"""What is accepted comes back equal from both sides, at the limits of every field; the rest is a 400."""

import asyncio
import base64
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limits import LIMITS_OF_DATES, profile_of, users, with_moments, without_absent
from tandem.user import UserInput, normalize
from waiting import until

URL = "/api/v1/user-command?seed=limits"

decode_input = msgspec.json.Decoder(UserInput).decode


@pytest.fixture(scope="module")
def client(shared_client):
    """A client of one instance for all of these tests."""
    return shared_client


async def assert_comes_back_equal_or_is_refused(client, sent: bytes) -> int:
    """Returns the status."""
    answer = await client.post(URL, content=sent, headers={"Content-Type": "application/json"})
    if answer.status_code == 400:
        assert all(place["pointer"].startswith("#/") for place in answer.json()["errors"]), answer.text
        return 400
    assert answer.status_code == 201, answer.text
    user_id = answer.json()["id"]

    async def is_there() -> bool:
        return (await client.get(f"/api/v1/user-query/{user_id}")).status_code == 200

    await until(is_there, f"user {user_id} in MongoDB")
    document = (await client.get(f"/api/v1/user-query/{user_id}")).json()
    rows = await client.get(f"/api/v1/user-command/{user_id}")
    assert rows.status_code == 200, rows.text
    expected = msgspec.to_builtins(normalize(decode_input(sent)))
    for name in ("_id", "seed", "appId", "currentStatus", "version"):
        del document[name]
    assert document == expected
    assert rows.json()["events"][0]["eventData"] == expected
    assert without_absent(with_moments(profile_of(rows.json()))) == without_absent(with_moments(expected))
    return 201


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(sent=st.lists(users(), min_size=1, max_size=12))
async def test_users_at_the_limits_of_every_field(client, sent):
    await asyncio.gather(*(assert_comes_back_equal_or_is_refused(client, user) for user in sent))


@pytest.mark.parametrize("date", LIMITS_OF_DATES)
async def test_dates_at_both_ends(client, date):
    for dated in (date, {"date": date}):
        for field in ("dob", "registered"):
            user = json.dumps({"email": "a@b", field: dated}).encode()
            status = await assert_comes_back_equal_or_is_refused(client, user)
            assert status == 201 or not date.startswith(("0001-01-01T00:00:00", "9999-12-31T23:59:59Z"))


async def test_rows_of_the_version_before_are_read_as_what_was_sent(system, serve):
    client = (await serve()).client
    user = {"email": "a@b", "dob": "0001-01-01T00:00:00Z", "registered": "9999-12-31T23:59:59.999999Z"}
    user_id = (await client.post(URL, json=user)).json()["id"]
    await system.postgres.execute("update prm_user set birth_at = '-infinity', registered_at = 'infinity'")
    rows = (await client.get(f"/api/v1/user-command/{user_id}")).json()
    assert (rows["birthAt"], rows["registeredAt"]) == (user["dob"], user["registered"])


@pytest.mark.parametrize(
    ("moment", "seed"),
    [
        ("0001-01-01T00:00:00+14:00", "x"),
        ("9999-12-31T23:59:59-14:00", "x"),
        ("2026-01-01T00:00:00", "x"),
        ("2026-01-01T00:00:00Z", "a\x00b"),
        ("2026-01-01T00:00:00Z", ""),
    ],
)
async def test_a_made_up_place_in_the_list_of_runs_is_refused(client, moment, seed):
    before = base64.urlsafe_b64encode(json.dumps([moment, seed]).encode()).decode()
    answer = await client.get("/api/v1/runs", params={"before": before})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "before")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_a_place_at_the_ends_of_time_is_one(client, moment):
    before = base64.urlsafe_b64encode(json.dumps([moment, "x"]).encode()).decode()
    assert (await client.get("/api/v1/runs", params={"before": before})).status_code == 200
