"""One user, step by step; and which column became which field of the document."""

import re
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, expect

from page_stack import Stack
from tandem.user import profile
from tandem.user_command import views
from visit import Visit, user

TITLES = ["The command", "Rows and event", "The pending row", "The document", "The acknowledgement"]
JANE = user(
    1, name={"first": "Jane", "last": "Doe"}, phone="1", location={"city": "Bonn", "country": "Spain"}
)


async def send_one(visit: Visit) -> None:
    await visit.open(view="follow")
    await visit.page.click("#send-one")
    await expect(visit.page.locator("#steps-took")).to_contain_text("Nothing was slowed down")


async def said(visit: Visit, element: str, words: str | re.Pattern[str]) -> None:
    await expect(visit.page.locator(f"#{element}")).to_contain_text(words)


async def traces(visit: Visit) -> dict[str, str]:
    """What the step shows that is there of it."""
    rows = await visit.page.locator("#step-trace > div").all()
    return {await row.locator("dt").inner_text(): await row.locator("dd").inner_text() for row in rows}


async def test_one_user_is_sent_and_followed_by_keyboard_alone(visit: Visit):
    page, keyboard = visit.page, visit.page.keyboard
    await visit.until_live()
    await visit.tab_to("text=Send one, slowly")
    await keyboard.press("Enter")
    await expect(page.locator("#follow-title")).to_be_focused()
    await visit.tab_to("#send-one")
    async with page.expect_request(lambda request: request.method == "POST") as sent:
        await keyboard.press("Enter")
    request = await sent.value
    await said(visit, "steps-took", re.compile(r"Version 1 took [\d.]+ m?s"))
    await expect(page.locator("#user-title")).to_be_focused()
    assert await page.locator("#steps button").all_inner_texts() == TITLES

    await said(visit, "step-title", TITLES[0])
    key = await request.header_value("Idempotency-Key")
    assert (await traces(visit))["Idempotency-Key"] == key
    assert await page.evaluate("JSON.parse(document.querySelector('#step-json').textContent)") == (
        request.post_data_json
    )
    await visit.tab_to("#step-next")
    for step, title in enumerate(TITLES[1:], start=2):
        await keyboard.press("Enter" if step % 2 else "ArrowRight")
        await said(visit, "step-title", title)
        await said(visit, "step-place", f"Version 1, step {step} of 5")
        assert await visit.text("step-died") != ""
    await expect(page.locator("#step-next")).to_be_focused()
    await expect(page.locator("#step-next")).to_have_attribute("aria-disabled", "true")
    assert (await traces(visit))["event"] == "SYNCRONIZED"
    await page.wait_for_url(re.compile(r"view=follow&id=\d+&version=1&step=5"))

    await page.reload()
    await said(visit, "step-title", TITLES[4])
    await keyboard.press("Home")
    await visit.tab_to("#step-back")
    await keyboard.press("ArrowLeft")
    await said(visit, "step-title", TITLES[3])
    assert (await traces(visit))["currentStatus"] == "SYNCRONIZED"
    await page.click("text=The pending row")
    await said(visit, "step-note", "No trace of it is kept: the last step deletes it.")
    await page.click("text=The command")
    await said(visit, "step-note", "This tab did not send it, or was loaded again since")
    assert key not in (await page.inner_text("#user"))


async def test_the_same_command_sent_again_makes_nobody(visit: Visit):
    await send_one(visit)
    await visit.page.click("#step-resend")
    await said(visit, "step-resent", "Idempotent-Replayed: true. It is the same user")
    seed = re.search(r"of run (\S+)", await visit.text("user-state"))
    assert seed is not None
    await visit.open(view="users", seed=seed[1])
    await expect(visit.page.locator("#found-rows tr")).to_have_count(1)


async def test_a_change_and_a_deletion_go_the_same_way(visit: Visit):
    page = visit.page
    await send_one(visit)
    await page.click("#edit-open")
    await page.get_by_label("Phone", exact=True).fill("555")
    await page.click("#edit-save")
    await said(visit, "step-place", "Version 2, step 1 of 5")
    await expect(page.locator("#edit")).to_be_hidden()
    assert (await traces(visit))["If-Match"] == '"1"'
    assert await visit.text("step-json") == '{\n  "phone": "555"\n}'
    await said(visit, "steps-took", "Version 2 took")
    await page.click("#step-next")
    assert (await traces(visit))["rows in"] == "prm_user"
    await page.click("text=The document")
    await said(visit, "step-json", '"phone": "555"')

    await page.click("text=The command")
    await page.click("#step-back")
    await said(visit, "step-place", "Version 1, step 5 of 5")
    await said(visit, "version-words", "Version 1 of 2")
    await page.click("#step-next")
    await said(visit, "step-place", "Version 2, step 1 of 5")

    await page.click("#removal-open")
    await page.click("#removal-do")
    await said(visit, "step-place", "Version 3, step 1 of 5")
    assert (await traces(visit))["request"].startswith("DELETE /api/v1/user-command/")
    await said(visit, "steps-took", "Version 3 took")
    await page.click("text=The document")
    await said(visit, "step-what", "a tombstone in the place of the document")
    await said(visit, "step-note", "Readers are answered that there is nobody.")


async def test_a_user_leads_to_its_steps_and_back(visit: Visit, stack: Stack):
    (number,) = await stack.create("leads", JANE)
    await stack.change(number, {"phone": "2"})
    await visit.open(view="users", id=str(number))
    assert await visit.page.is_hidden("#follow-steps")
    await visit.page.click("text=Follow it step by step")
    await said(visit, "step-place", "Version 2, step 1 of 5")
    assert await visit.page.is_hidden("#story")
    await visit.page.click("#user-follow")
    await expect(visit.page.locator("#story li")).to_have_count(3)
    assert await visit.page.is_hidden("#follow-steps")
    await visit.open(view="follow", id="9007199254740991")
    await said(visit, "steps-took", "PostgreSQL has no event of such a user")
    assert await visit.page.is_hidden("#step-next")


@pytest.mark.slow
async def test_a_user_that_mongodb_does_not_take_stands_still_at_its_pending_row(visit: Visit, stack: Stack):
    page = visit.page
    await visit.open(view="follow")
    async with stack.without_mongodb():
        await page.click("#send-one")
        await said(visit, "steps-took", "Version 1 is on its way right now")
        await page.click("text=The pending row")
        await said(visit, "step-when", "still there")
        await page.click("text=The document")
        await expect(page.locator("#step-when")).to_have_text("not known")
        await expect(page.locator("#step-note")).to_contain_text("is not known.")
    await page.click("#look-again")
    await said(visit, "steps-took", "Version 1 took")
    await said(visit, "step-note", "The document, as MongoDB has it")
    async with stack.without_postgresql():
        await page.reload()
        await expect(page.locator("#steps-took")).to_contain_text("The steps are not known")


async def test_the_send_that_fails_is_sent_again_with_its_key(visit: Visit):
    keys: list[str | None] = []

    async def lose(route: Any) -> None:
        keys.append(await route.request.header_value("Idempotency-Key"))
        if len(keys) == 1:
            await route.fetch()  # it is carried out, and the answer is lost
            await route.abort()
        else:
            await route.continue_()

    await visit.page.route("**/api/v1/user-command?*", lose)
    await visit.open(view="follow")
    await visit.page.click("#send-one")
    await said(visit, "send-one-state", "the same is sent with the same key")
    await visit.page.click("#send-one")
    await said(visit, "steps-took", "Version 1 took")
    assert keys[0] is not None
    assert keys == [keys[0]] * 2


def columns(struct: Any) -> set[str]:
    """The names that a row has in JSON, without the rows that hang off it."""
    names = msgspec.structs.fields(struct)
    return {field.encode_name for field in names} - {"location", "login", "picture", "events"}


def paths(struct: Any, prefix: str = "") -> set[str]:
    """Every field of a document that holds a value."""
    found: set[str] = set()
    for field in msgspec.structs.fields(struct):
        inner = [each for each in getattr(field.type, "__args__", ()) if hasattr(each, "__struct_fields__")]
        path = f"{prefix}{field.encode_name}"
        found |= paths(inner[0], f"{path}.") if inner else {path}
    return found


async def test_every_column_became_a_field_or_says_why_not_and_every_field_has_a_column(visit: Visit):
    known = await visit.page.evaluate("import('/client/users/columns.js').then((module) => module.COLUMNS)")
    assert {table: set(of) for table, of in known.items()} == {
        "prm_user": columns(views.UserRows),
        "prm_user_location": columns(views.LocationRow) - {"country", "timezone"},
        "prm_country": columns(views.CountryRow),
        "prm_timezone": columns(views.TimezoneRow),
        "prm_user_login": columns(views.LoginRow),
        "prm_user_picture": columns(views.PictureRow),
        "prm_user_event": columns(views.EventRow),
    }
    fields = [place for of in known.values() for place in of.values() if " " not in place]
    assert len(fields) == len(set(fields))
    assert set(fields) == paths(profile.IdentifiedProfile) | {"currentStatus"}


async def test_each_value_of_the_rows_lights_up_the_same_value_in_the_document(visit: Visit):
    await send_one(visit)
    pairs = await visit.page.evaluate(
        """() => [...document.querySelectorAll("#rows [data-field]:not([data-field=''])")].map((row) => {
            const field = document.querySelector(`#document [data-field="${row.dataset.field}"]`);
            return [row.querySelector("dd").textContent, field.lastChild.textContent];
        })"""
    )
    fields = visit.page.locator("#document [data-field]").filter(has_not_text=": null")
    assert len(pairs) == await fields.count() > 30
    for column, field in pairs:
        assert column.replace("000Z", "Z") == field.strip('"')
    shown = await visit.text("document")
    assert shown == await visit.page.evaluate(f"JSON.stringify({shown}, null, 2)")


async def lit(visit: Visit) -> list[str]:
    return [" ".join(text.split()) for text in await visit.page.locator("#both .lit").all_inner_texts()]


async def test_pointing_at_a_column_lights_up_its_field_and_the_other_way_round(visit: Visit, stack: Stack):
    (number,) = await stack.create("pointing", JANE)
    await visit.open(view="users", id=str(number))
    page = visit.page
    await page.hover("#rows [data-column=firstName] dd")
    assert await lit(visit) == ["firstName Jane", '"first": "Jane"']
    await said(visit, "pair-words", "prm_user.firstName became name.first in the document.")
    await page.hover('#document [data-field="location.country"]')
    assert await lit(visit) == ["name Spain", '"country": "Spain"']
    await said(visit, "pair-words", "location.country came from prm_country.name.")
    await page.hover("#rows [data-column=createdAt] >> nth=0")
    assert [text.split()[0] for text in await lit(visit)] == ["createdAt"]
    await said(visit, "pair-words", "prm_user.createdAt has no field in the document: when a row")
    await page.hover("h1:visible")
    assert await lit(visit) == []


async def test_the_keyboard_goes_from_a_column_to_its_field(visit: Visit, stack: Stack):
    (number,) = await stack.create("keys", JANE)
    await visit.open(view="users", id=str(number))
    page = visit.page
    await visit.tab_to("#rows [data-column=id] button")
    await page.keyboard.press("ArrowDown")
    assert await lit(visit) == ["email user.1@example.com", '"email": "user.1@example.com"']
    await page.keyboard.press("Tab")
    await expect(page.locator("#rows summary").nth(1)).to_be_focused()
    await page.click("#pair-show")
    await expect(page.locator("#document [data-field=email] button")).to_be_focused()


async def test_a_finger_does_what_a_pointer_does(browser: Browser, stack: Stack):
    (number,) = await stack.create("finger", JANE)
    page = await browser.new_page(viewport={"width": 360, "height": 800}, has_touch=True)
    visit = Visit(page, stack.url)
    await visit.open(view="users", id=str(number))
    await page.tap("#rows [data-column=lastName]")
    assert await lit(visit) == ["lastName Doe", '"last": "Doe"']
    await page.tap("#pair-show")
    await expect(page.locator('#document [data-field="name.last"]')).to_be_in_viewport()
    await said(visit, "pair-words", "name.last came from prm_user.lastName.")
    await page.close()


async def test_what_was_lit_stays_where_nothing_has_changed_and_goes_with_what_has(
    visit: Visit, stack: Stack
):
    (number,) = await stack.create("redrawn", JANE)
    await visit.open(view="users", id=str(number))
    await visit.page.focus("#rows [data-column=city] button")
    await stack.change(number, {"phone": "2"})
    assert await lit(visit) == ["city Bonn", '"city": "Bonn"']
    await visit.page.click("#edit-open")  # a look at the later version draws both forms anew
    await visit.page.get_by_label("Phone", exact=True).fill("3")
    await visit.page.click("#edit-save")
    await visit.page.click("#edit-notice-do")
    await said(visit, "edit-said", "is loaded")
    assert await lit(visit) == []


async def test_the_word_that_looks_like_a_mistake_is_explained_where_it_is_first_seen(
    visit: Visit, stack: Stack
):
    (number,) = await stack.create("word", JANE)
    for address, place in ((None, ".synchronized"), (str(number), "#story")):
        await (visit.open(view="users", id=address) if address else visit.open())
        await expect(visit.page.locator("#spelling")).to_be_hidden()
        await visit.tab_to(f"{place} .why")
        await visit.page.keyboard.press("Enter")
        await said(visit, "spelling", "MongoDB has confirmed the document")
        await expect(visit.page.locator("#spelling")).to_be_visible()
        await visit.page.keyboard.press("Escape")
        await expect(visit.page.locator("#spelling")).to_be_hidden()
        await expect(visit.page.locator(f"{place} .why")).to_be_focused()


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_axe_finds_no_violation_in_any_step(visit: Visit, width: int):
    page = visit.page
    await page.set_viewport_size({"width": width, "height": 800})

    async def is_fine() -> None:
        assert await visit.violations() == []
        assert await page.evaluate("document.documentElement.scrollWidth") == width

    await visit.open(view="follow")
    await is_fine()
    await send_one(visit)
    for step in (1, 3, 5):
        await page.locator("#steps button").nth(step - 1).click()
        await is_fine()
    await page.click("#step-why")
    await is_fine()
    await page.keyboard.press("Escape")
    await page.click("#rows [data-column=createdAt] button >> nth=0")
    await is_fine()
    await page.click("#rows [data-column=city] button")
    await is_fine()
