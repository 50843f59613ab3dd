"""Documents that somebody put into MongoDB by hand: what is odd in them spoils no answer about others."""

from datetime import UTC, datetime

import bson
import pytest
from bson import Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

ODD_VALUES = [
    Decimal128("1.5"),
    Decimal128("NaN"),
    float("nan"),
    float("inf"),
    datetime(2020, 1, 1, tzinfo=UTC),
    DatetimeMS(2**62),
    DatetimeMS(-(2**62)),
    ObjectId(),
    Regex("a*", "i"),
    Code("return 1"),
    Code("return x", {"x": 1}),
    Timestamp(1, 2),
    MinKey(),
    MaxKey(),
    b"bytes",
    bson.Binary(b"bytes", 5),
    bson.Binary(b"0123456789abcdef", 4),
    DBRef("users", 1),
    Int64(2**63 - 1),
    None,
    True,
    [ObjectId(), {"deep": [Decimal128("2")]}],
    {"$ref": "x", "$id": ObjectId()},
    {"latitude": Int64(1)},
]
USER = {"seed": "odd", "appId": "a", "currentStatus": "SYNCRONIZED", "version": 1}
READS = [
    "/api/v1/user-query",
    "/api/v1/user-query?limit=100",
    "/api/v1/user-query?seed=odd",
    "/api/v1/user-query/search?seed=odd",
    "/api/v1/user-query/search?email=ser@",
    "/api/v1/user-query/search?name=any",
    "/api/v1/user-query/email?email=user@example.com",
    "/api/v1/user-query/5",
    "/api/v1/user-query/1",
]


@pytest.fixture
async def users(shared_system):
    """MongoDB's collection, with one user of ours and nothing else."""
    await shared_system.users.delete_many({})
    await shared_system.users.insert_one(
        USER | {"_id": 1, "email": "user@example.com", "name": {"first": "any"}}
    )
    return shared_system.users


@pytest.fixture
def client(shared_client):
    return shared_client


async def check_all_reads(client) -> None:
    for path in READS:
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert "user@example.com" in answer.text or path.endswith("/5")
        answer.json()


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: type(value).__name__)
async def test_a_value_of_any_bson_type_makes_no_read_an_error(users, client, value):
    for number, field in enumerate(("phone", "dob", "seed", "version", "name"), 5):
        await users.insert_one(USER | {"_id": number, "email": "odd-user@example.com"} | {field: value})
    await check_all_reads(client)
    # PostgreSQL has no such users, so those whose version is no number are not there.
    versions = [await client.get(f"/api/v1/user-query/{number}?version=1") for number in range(5, 10)]
    assert {answer.status_code for answer in versions} <= {200, 404}, [one.text for one in versions]


async def test_text_that_is_no_utf_8_makes_no_read_an_error(users, client):
    encoded = bson.encode(USER | {"_id": 5, "email": "odd-user@example.com", "phone": "@@@@"})
    await users.insert_one(RawBSONDocument(encoded.replace(b"@@@@", b"\xff\xfe\xed\xa0")))
    await check_all_reads(client)


@pytest.mark.parametrize(
    "foreign_id", [ObjectId("0" * 24), "text", 2.0**60, float("inf"), {"a": 1}, -1], ids=repr
)
async def test_documents_with_foreign_ids_hide_nobody(users, client, foreign_id):
    await users.insert_one(USER | {"_id": foreign_id, "email": "user@example.com"})
    await users.insert_one(USER | {"_id": 5, "email": "odd-user@example.com"})
    await check_all_reads(client)
    listed = (await client.get("/api/v1/user-query")).json()
    assert [user["_id"] for user in listed] == [1, 5]
    newest = await client.get("/api/v1/user-query/email?email=user@example.com")
    assert newest.json()["_id"] == 1


@pytest.mark.parametrize("same_number", [5.0, Decimal128("5")], ids=repr)
async def test_the_id_of_a_document_may_be_a_number_of_another_type(users, client, same_number):
    await users.insert_one(USER | {"_id": same_number, "email": "odd-user@example.com"})
    await check_all_reads(client)
    page = (await client.get("/api/v1/user-query/search?seed=odd&limit=2")).json()
    assert page["next"] == 5
    assert (await client.get("/api/v1/user-query/search?seed=odd&after=5")).json()["users"] == []


async def test_an_address_that_is_a_list_hides_nobody(users, client):
    await users.insert_one(USER | {"_id": 5, "email": ["user@example.com", "b@example.com"]})
    await check_all_reads(client)
    newest = await client.get("/api/v1/user-query/email?email=user@example.com")
    assert newest.json()["_id"] == 1


async def test_an_id_of_another_type_of_number_was_given_like_any(system, serve):
    """Who starts asks MongoDB for the highest id, so that none is given twice."""
    await system.users.insert_one(USER | {"_id": Decimal128("7")})
    client = (await serve()).client
    answer = await client.post("/api/v1/user-command?seed=odd", json={"email": "user@example.com"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] > 7
