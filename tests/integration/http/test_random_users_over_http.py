"""`GET /api/v1/random-users`, answered by a real server."""

import asyncio

import pytest
from openapi_spec_validator import validate

from tandem.http.openapi import openapi_document
from tandem.random_users import RandomUsersController

PATH = "/api/v1/random-users"


@pytest.fixture
async def client(serving):
    async with serving(RandomUsersController().routes()) as client:
        yield client


async def answer(client, **arguments) -> dict:
    """The body of a good answer."""
    got = await client.get(PATH, params=arguments)
    assert got.status_code == 200
    return got.json()


async def test_without_arguments_it_is_one_user_of_a_new_seed(client):
    first, second = await answer(client), await answer(client)
    assert len(first["results"]) == 1
    assert first["info"]["seed"] != second["info"]["seed"]
    assert await answer(client, seed=first["info"]["seed"]) == first


async def test_it_says_what_was_asked_for(client):
    body = await answer(client, results=3, page=2, seed="سلام")
    assert body["info"] == {"seed": "سلام", "results": 3, "page": 2, "version": "1.4"}


async def test_users_do_not_depend_on_how_they_are_paged(client):
    whole = await answer(client, results=250, seed="s")
    pages = [await answer(client, results=50, seed="s", page=page) for page in range(1, 6)]
    assert [user for page in pages for user in page["results"]] == whole["results"]


async def test_5000_users_are_made_in_turns_with_everything_else(client):
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    body = await answer(client, results=5_000, seed="s")
    counting.cancel()
    assert len(body["results"]) == 5_000
    assert turns > 50


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"results": "0"}, "results"),
        ({"results": "5001"}, "results"),
        ({"results": "many"}, "results"),
        ({"page": "0"}, "page"),
        ({"seed": ""}, "seed"),
        ({"seed": "x" * 1_000}, "seed"),
    ],
)
async def test_arguments_out_of_range_are_refused_by_name(client, arguments, parameter):
    got = await client.get(PATH, params=arguments)
    assert got.status_code == 400
    assert [place["parameter"] for place in got.json()["errors"]] == [parameter]


def test_its_description_is_valid_openapi():
    validate(openapi_document(RandomUsersController().routes(), title="Random users", version="1"))
