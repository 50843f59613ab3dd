"""Changing a user on the page: what is sent, what is said, and what the two databases show meanwhile."""

import json
import re
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Request, Route, expect

from page_stack import Stack
from visit import Visit, user

ADA = user(
    1,
    name={"first": "Ada", "last": "Lovelace"},
    location={"street": {"number": 12, "name": "Square"}, "city": "London", "postcode": "01234"},
    phone="1",
)
# Without a query: with one, the history is read there.
COMMAND = re.compile(r"/api/v1/user-command/\d+$")


@pytest.fixture
async def ada(stack: Stack) -> int:
    """The id of a new user."""
    (number,) = await stack.create("changing", ADA)
    return number


async def begin(visit: Visit, number: int) -> None:
    """Open the form."""
    await visit.open(view="users", id=str(number))
    await visit.page.click("#edit-open")


def field(visit: Visit, label: str) -> Locator:
    """A field of the form; the search, which is on another view, has some of the same labels."""
    return visit.page.locator("#edit").get_by_label(label, exact=True)


async def type_into(visit: Visit, **fields: str) -> None:
    """Fill fields by their labels, with _ for a space."""
    for label, text in fields.items():
        await field(visit, label.replace("_", " ")).fill(text)


async def save(visit: Visit) -> None:
    await visit.page.click("#edit-save")


async def said(visit: Visit, element: str, words: str) -> None:
    await expect(visit.page.locator(f"#{element}")).to_contain_text(words)


def commands(visit: Visit) -> list[Request]:
    """The patches that the page sends from now on."""
    sent: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            sent.append(request)

    visit.page.on("request", note)
    return sent


async def state(stack: Stack, number: int) -> dict[str, Any]:
    """The document that readers get."""
    async with httpx.AsyncClient(base_url=stack.url) as client:
        document: dict[str, Any] = (await client.get(f"/api/v1/user-query/{number}")).json()
    return document


async def test_only_what_was_changed_is_sent_just_as_it_was_typed(visit: Visit, stack: Stack, ada: int):
    sent = commands(visit)
    await begin(visit, ada)
    await expect(field(visit, "Title")).to_be_focused()
    city = "  Köln \u202eסופ\u200f 🦊 "
    await type_into(visit, City=city, Postcode="", House_number="13")
    await expect(visit.page.locator("#edit-save")).to_have_text("Save 3 changes")
    await save(visit)

    await said(visit, "user-news", "Saved as version 2 in both databases.")
    assert json.loads(sent[0].post_data) == {
        "location": {"city": city, "postcode": None, "street": {"number": 13}}
    }
    assert sent[0].headers["content-type"] == "application/merge-patch+json"
    assert sent[0].headers["if-match"] == '"1"'
    assert sent[0].headers["idempotency-key"]
    assert await visit.page.is_hidden("#edit")
    document = await state(stack, ada)
    assert document["location"] == {"street": {"number": 13, "name": "Square"}, "city": city}
    assert document["phone"] == "1"
    for database in ("rows", "document"):
        await said(visit, f"{database}-version", "version 2")
        await said(visit, database, "Köln")
    await said(visit, "story", "A PATCH reached")
    await said(visit, "version-change", "Removed: location.postcode.")


async def test_what_was_not_changed_is_not_sent(visit: Visit, ada: int):
    sent = commands(visit)
    await begin(visit, ada)
    await type_into(visit, City="Köln")
    await type_into(visit, City="London")
    await expect(visit.page.locator("#edit-save")).to_have_text("Save")
    await save(visit)
    await said(visit, "edit-said", "You have changed nothing")
    assert sent == []
    await visit.page.click("#edit-cancel")
    await expect(visit.page.locator("#edit-open")).to_be_focused()


async def test_of_two_visitors_the_second_is_told_and_loses_nothing(
    visit: Visit, other_visit: Visit, stack: Stack, ada: int
):
    for each in (visit, other_visit):
        await begin(each, ada)
    await type_into(visit, Phone="of the first", City="Ockham")
    await save(visit)
    await said(visit, "user-news", "Saved as version 2")

    await type_into(other_visit, Phone="of the second", Last_name="King")
    await save(other_visit)
    await said(other_visit, "edit-notice", "it has version 2 now, and you began with version 1")
    assert (await state(stack, ada))["phone"] == "of the first"

    await other_visit.page.click("text=Load version 2 and keep what I typed")
    phone, name, city = (field(other_visit, label) for label in ("Phone", "Last name", "City"))
    await expect(city).to_have_value("Ockham")
    await expect(name).to_have_value("King")
    await expect(phone).to_have_value("of the second")
    await expect(phone).to_be_focused()
    await expect(phone).to_have_accessible_description("Version 2 has “of the first” here.")
    await expect(other_visit.page.locator("#edit-notice")).to_be_hidden()
    await save(other_visit)
    await said(other_visit, "user-news", "Saved as version 3 in both databases.")
    document = await state(stack, ada)
    assert (document["phone"], document["name"]["last"], document["location"]["city"]) == (
        "of the second",
        "King",
        "Ockham",
    )


async def test_what_the_server_does_not_take_is_said_beside_the_field(visit: Visit, ada: int):
    await begin(visit, ada)
    for label, wrong in (("E-mail", "nowhere"), ("House number", "12a"), ("City", "x" * 201)):
        at = field(visit, label)
        right = await at.input_value()
        await at.fill(wrong)
        await save(visit)
        await said(visit, "edit-said", "Nothing was saved")
        await expect(at).to_be_focused()
        await expect(at).to_have_attribute("aria-invalid", "true")
        await expect(at).not_to_have_accessible_description("")
        await at.fill(right)
        await expect(at).not_to_have_attribute("aria-invalid", "true")
        await expect(at).to_have_accessible_description("")


async def test_who_changes_a_user_that_was_deleted_meanwhile_is_told(visit: Visit, stack: Stack, ada: int):
    await begin(visit, ada)
    await type_into(visit, City="Ockham")
    await stack.delete(ada)
    await save(visit)
    await said(visit, "edit-notice", "deleted meanwhile, so nothing was saved")
    await expect(field(visit, "City")).to_have_value("Ockham")
    await visit.page.click("text=Close and look at what is left")
    await said(visit, "user-state", "was deleted")
    assert await visit.page.is_hidden("#edit-open")


async def test_a_save_whose_answer_is_lost_takes_effect_once(visit: Visit, stack: Stack, ada: int):
    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    sent = commands(visit)
    await begin(visit, ada)
    await visit.page.route(COMMAND, lose, times=1)
    await type_into(visit, City="Ockham")
    await save(visit)
    await said(visit, "edit-said", "It may have been carried out or not. Try again")
    await save(visit)
    await said(visit, "user-news", "Saved as version 2 in both databases.")
    assert len({request.headers["idempotency-key"] for request in sent}) == 1

    await visit.page.click("#edit-open")
    await visit.page.route(COMMAND, lose, times=1)
    await type_into(visit, City="London")
    await save(visit)
    await said(visit, "edit-said", "It may have been carried out or not.")
    await type_into(visit, City="Paris")
    await save(visit)
    await said(visit, "edit-notice", "perhaps by your own save that was not answered")
    assert len({request.headers["idempotency-key"] for request in sent}) == 3


@pytest.mark.parametrize(
    ("status", "detail", "advice"),
    [
        (503, "PostgreSQL does not answer.", "sent with the same key"),
        (429, "You send too much.", "Nothing was changed. Try again in a moment."),
        (403, "It lacks the scope command.", "Enter an access token that may send commands"),
    ],
)
async def test_a_refusal_says_why_and_what_to_do(
    visit: Visit, ada: int, status: int, detail: str, advice: str
):
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}
    await begin(visit, ada)
    await visit.page.route(COMMAND, lambda route: route.fulfill(status=status, json=problem), times=1)
    await type_into(visit, City="Ockham")
    await save(visit)
    await said(visit, "edit-said", detail)
    await said(visit, "edit-said", advice)
    await expect(field(visit, "City")).to_have_value("Ockham")
    await save(visit)
    await said(visit, "user-news", "Saved as version 2")


@pytest.mark.slow
async def test_both_forms_show_their_version_until_mongodb_has_caught_up(
    visit: Visit, stack: Stack, ada: int
):
    await begin(visit, ada)
    async with stack.without_mongodb():
        await type_into(visit, City="Ockham")
        await save(visit)
        # What PostgreSQL answers in MongoDB's place is not taken for what MongoDB has.
        for _ in range(2):
            await visit.page.wait_for_event(
                "response", lambda answer: answer.headers.get("tandem-source") == "PostgreSQL"
            )
        await said(visit, "user-news", "Saved as version 2 in PostgreSQL; MongoDB is catching up.")
        await said(visit, "rows-version", "version 2")
        await said(visit, "rows", "Ockham")
        await said(visit, "document-version", "version 1, waiting for version 2")
        await said(visit, "document", "London")
        await said(visit, "story", "MongoDB still has the version before.")
        await said(visit, "version-origin", "No SYNCRONIZED of it so far.")
    await said(visit, "user-news", "Saved as version 2 in both databases.")
    await said(visit, "document-version", "version 2")
    await said(visit, "document", "Ockham")
    await said(visit, "story", "Both databases agree.")
    await said(visit, "version-origin", "later by instance-")


async def test_who_comes_before_mongodb_has_the_user_sees_it_arrive(visit: Visit, stack: Stack, ada: int):
    async def not_yet(route: Route) -> None:
        document = await (await route.fetch()).json()
        await route.fulfill(json=document | {"version": 1, "phone": "old"})

    await stack.change(ada, {"phone": "new"})
    await visit.page.route(f"**/api/v1/user-query/{ada}", not_yet)
    await visit.open(view="users", id=str(ada))
    await said(visit, "document-version", "version 2")
    await said(visit, "document", '"phone": "new"')
    assert await visit.page.is_hidden("#look-again")
