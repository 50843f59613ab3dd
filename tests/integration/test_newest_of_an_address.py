"""Who is found by e-mail, several addresses at a time, and how many documents MongoDB looks at for it."""

import pytest

from tandem.mongodb.generations import Collections
from tandem.user_query.repository import UserQueryRepository

# Of whom each is; the ids follow from the order.
SHARED = [("a@example.com", 50), ("b@example.com", 3), ("c@example.com", 1), ("d@example.com", 40)]


@pytest.fixture
async def newest(system):
    """The highest id of each address."""
    documents: list[dict] = []
    for email, count in SHARED:
        documents += [{"_id": len(documents) + 1 + number, "email": email} for number in range(count)]
    await system.users.insert_many(documents)
    return {document["email"]: document["_id"] for document in documents}


@pytest.mark.parametrize(
    ("emails", "most"),
    [
        (["a@example.com"], 1),
        (["c@example.com"], 1),
        (["c@example.com", "nobody@example.com"], 1),
        (["b@example.com", "c@example.com"], 3),
        (["a@example.com", "b@example.com", "c@example.com", "d@example.com", "nobody@example.com"], 9),
    ],
)
async def test_the_newest_of_each_is_found_whoever_shares_an_address(system, newest, emails, most):
    database = system.mongodb.get_default_database()
    repository = UserQueryRepository(Collections(system.users))
    await database.command("profile", 2)
    found = await repository.find_newest_by_emails(emails)
    await database.command("profile", 0)
    assert {email: document["_id"] for email, document in found.items()} == {
        email: newest[email] for email in emails if email in newest
    }
    reads = {"ns": system.users.full_name, "op": {"$in": ["query", "command"]}}
    examined = [read["docsExamined"] async for read in database["system.profile"].find(reads)]
    assert 0 < sum(examined) <= most
