"""A server's error may quote what it was given; what is made of it for logs does not."""

import asyncpg
import pytest
from pymongo import errors

from command_line import run_tandem
from tandem.kernel import Unavailable
from tandem.mongodb.client import described, translated

QUOTES = "dup key: { email: 'marker@example.com' }"
WRITE_ERROR = {"index": 0, "code": 57, "errmsg": QUOTES, "op": {"_id": 1, "email": "marker@example.com"}}
BULK = errors.BulkWriteError({"writeErrors": [WRITE_ERROR], "writeConcernErrors": []})
NOT_ACKNOWLEDGED = errors.BulkWriteError(
    {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": QUOTES}]}
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BULK, "BulkWriteError: codes [57]"),
        (NOT_ACKNOWLEDGED, "BulkWriteError: codes [64]"),
        (errors.DuplicateKeyError(QUOTES, 11000), "DuplicateKeyError: code 11000"),
        (errors.AutoReconnect("127.0.0.1:1: refused"), "AutoReconnect: 127.0.0.1:1: refused"),
    ],
)
def test_of_what_mongodb_refuses_only_the_codes_are_told(error, told):
    assert described(error) == told
    with pytest.raises(Unavailable, match="MongoDB does not answer") as raised, translated():
        raise error
    assert "marker" not in str(raised.value)


async def test_of_what_postgresql_says_only_the_first_line_is_told(instance):
    error = asyncpg.DeadlockDetectedError("deadlock detected")
    error.detail = QUOTES
    assert "marker" in str(error)
    with pytest.raises(Unavailable, match="DeadlockDetectedError: deadlock detected") as raised:
        async with instance.adapters.database.connection():
            raise error
    assert "marker" not in str(raised.value)


@pytest.mark.parametrize("password", ["pa/ss", "pa%ss", "pa@ss"])
@pytest.mark.parametrize("variable", ["POSTGRES_URL", "MONGODB_URL"])
async def test_no_piece_of_a_password_is_said_when_a_url_cannot_be_used(shared_system, variable, password):
    urls = {
        "POSTGRES_URL": shared_system.urls.postgres_service_url,
        "MONGODB_URL": shared_system.urls.mongodb_service_url,
    }
    scheme = urls[variable].partition("://")[0]
    bad = {variable: f"{scheme}://somebody:{password}@127.0.0.1:1/nowhere"}
    exit_code, said = await run_tandem("serve", **(urls | bad))
    assert exit_code == 1
    assert variable in said
    assert not [piece for piece in (password, "pa/", "'pa", "ss@", '"ss', ":ss") if piece in said]
