"""Search on the query side."""

import pytest

PEOPLE = [
    ("jane.doe@example.com", "Jane", "Doe", "Ireland", "run-1", "instance-1"),
    ("JANET@example.org", "Janet", "O'Doe", "Iran", "run-1", "instance-2"),
    ("j+n@example.com", "J.n", "Müller (b)", "Deutschland", "run-2", "instance-1"),
    ("ali@example.com", "علی", "رضایی", "Iran", "run-2", "instance-2"),
    ("xjane.doe@example.com", "Émile", "Zola", None, "run-2", "instance-2"),
    ("nunez@example.com", "José", "Núñez Groß", "Perú", "run-3", "instance-1"),
    ("osman@example.com", "İsmail", "N\u0303on Ødegård", "Türkiye", "run-3", "instance-1"),
]


@pytest.fixture(scope="module")
async def opened(shared_system):
    await shared_system.users.insert_many(
        [document(number, person) for number, person in enumerate(PEOPLE, 1)]
    )
    # More than one request may look at.
    await shared_system.users.insert_many(
        [
            document(number, (f"{number}@x", "Many", "Others", None, "many", "m"))
            for number in range(101, 45_102)
        ]
    )
    return shared_system


def document(number, person):
    email, first, last, country, seed, app_id = person
    user = {"_id": number, "email": email, "name": {"first": first, "last": last}}
    user |= {"seed": seed, "appId": app_id, "currentStatus": "SYNCRONIZED", "version": 1}
    return user if country is None else user | {"location": {"country": country}}


@pytest.fixture(scope="module")
async def client(opened, shared_client):
    return shared_client


async def search(client, **conditions) -> dict:
    answer = await client.get("/api/v1/user-query/search", params=conditions)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ids(client, **conditions) -> list[int]:
    return [user["_id"] for user in (await search(client, **conditions))["users"]]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"email": "JANE"}, [1, 2, 5]),
        ({"email": "jane.doe@example.com"}, [1]),
        ({"email": "jane.doe@example.com", "seed": "run-2"}, []),
        ({"email": "jane.doe@"}, [1, 5]),
        ({"name": "doe jan"}, [1, 2]),
        ({"name": "müller"}, [3]),
        ({"name": "émile"}, [5]),
        ({"name": "emile"}, [5]),
        ({"name": "MULLER"}, [3]),
        ({"name": "nunez jose"}, [6]),
        ({"name": "NÚÑEZ"}, [6]),
        ({"name": "gross"}, [6]),
        ({"name": "groß"}, [6]),
        ({"name": "nunezjose"}, []),
        ({"name": "ismail odegard"}, [7]),
        ({"name": "ñon"}, [7]),
        ({"name": "n\u0303on"}, [7]),
        ({"country": "peru"}, [6]),
        ({"country": "TURKIYE"}, [7]),
        ({"name": "رضا"}, [4]),
        ({"country": "ira"}, [2, 4]),
        ({"country": "iRELAND"}, [1]),
        ({"seed": "run-2"}, [3, 4, 5]),
        ({"seed": "run"}, []),
        ({"seed": "run-1", "appId": "instance-2"}, [2]),
        ({"seed": "run-1", "status": "SYNCRONIZED", "name": ""}, [1, 2]),
        ({"seed": "run-1", "status": "CREATED"}, []),
        ({"limit": 3}, [1, 2, 3]),
        ({"limit": 2, "after": 2}, [3, 4]),
        ({"name": "doe", "seed": "run-1", "order": "newest"}, [2, 1]),
        ({"seed": "run-2", "order": "newest", "limit": 2}, [5, 4]),
        ({"seed": "run-2", "order": "newest", "after": 4}, [3]),
        ({"limit": 2, "order": "newest"}, [45_101, 45_100]),
        ({"email": "jane.doe@example.com", "order": "newest"}, [1]),
    ],
)
async def test_all_conditions_must_be_met(client, conditions, expected):
    assert await ids(client, **conditions) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"name": "j.n"}, [3]),
        ({"name": "(b)"}, [3]),
        ({"name": "O'"}, [2]),
        ({"email": "j+n"}, [3]),
        ({"name": ".*"}, []),
        ({"email": "^j"}, []),
        ({"country": "$ne"}, []),
        ({"name": "\\"}, []),
        ({"seed": "run-1", "name": "(?"}, []),
    ],
)
async def test_what_means_something_in_a_pattern_is_text(client, conditions, expected):
    assert await ids(client, **conditions) == expected


@pytest.mark.parametrize(
    ("conditions", "limit", "after", "expected"),
    [
        ({"name": "doe"}, 1, 0, [1, 2]),
        ({"email": "99@x"}, 100, 0, range(199, 45_102, 100)),
        ({"seed": "many"}, 200, 44_000, range(44_001, 45_102)),
        ({}, 200, 44_000, range(44_001, 45_102)),
    ],
)
async def test_pages_reach_every_match_once(client, conditions, limit, after, expected):
    seen: list[int] = []
    while after is not None:
        page = await search(client, **conditions, limit=limit, after=after)
        assert page["examined"] <= 20_000
        assert page["next"] is None or page["next"] > after
        seen += [user["_id"] for user in page["users"]]
        after = page["next"]
    assert seen == list(expected)


async def test_newest_first_reaches_every_match_once_and_users_that_arrive_disturb_no_page(opened, client):
    seen: list[int] = []
    after = 0
    while after is not None:
        page = await search(client, email="99@x", limit=100, after=after, order="newest")
        assert page["examined"] <= 20_000
        seen += [user["_id"] for user in page["users"]]
        if not after:
            late = document(60_099, ("60099@x", "Late", "Comer", None, "late", "m"))
            await opened.users.insert_one(late)
        after = page["next"]
    await opened.users.delete_one({"_id": 60_099})
    assert seen == list(range(45_099, 101, -100))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"name": "doe", "seed": "run-1", "limit": 1}, {"users": 2, "isExact": True}),
        ({"seed": "run-2", "after": 4, "limit": 1}, {"users": 3, "isExact": True}),
        ({"seed": "run-2", "after": 4, "order": "newest"}, {"users": 3, "isExact": True}),
        ({"seed": "nobody"}, {"users": 0, "isExact": True}),
        ({}, {"users": 20_000, "isExact": False}),
        ({"name": "zola"}, {"users": 1, "isExact": False}),
    ],
)
async def test_a_search_says_how_many_there_are_where_it_is_asked(client, conditions, expected):
    assert (await search(client, **conditions, count="true"))["total"] == expected
    assert "total" not in await search(client, **conditions)


async def test_one_request_looks_at_no_more_than_20_000_documents_and_the_next_goes_on(client):
    page = await search(client, name="nobody")
    assert (page["users"], page["next"], page["examined"]) == ([], 20_093, 20_000)
    page = await search(client, name="nobody", after=page["next"])
    assert (page["next"], page["examined"]) == (40_093, 20_000)
    page = await search(client, name="nobody", after=page["next"])
    assert (page["next"], page["examined"]) == (None, 5_008)


async def test_within_a_run_only_its_own_users_are_looked_at(client):
    page = await search(client, seed="run-2", country="iran")
    assert [user["_id"] for user in page["users"]] == [4]
    assert (page["next"], page["examined"]) == (None, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("after", "-1"),
        ("name", "x" * 101),
        ("status", "DONE"),
        ("order", "best"),
        ("email", "\0"),
    ],
)
async def test_a_bad_condition_is_named(client, name, value):
    answer = await client.get("/api/v1/user-query/search", params={name: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == name
