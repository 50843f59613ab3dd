"""A user's history on the page, and deleting and erasing it."""

import re

import pytest
from playwright.async_api import Route, expect

from page_stack import Stack
from visit import Visit, user

JANE = user(1, name={"first": "Jane", "last": "Doe"}, phone="1", location={"city": "Bonn", "postcode": "5"})


@pytest.fixture
async def jane(stack: Stack) -> int:
    """The id of a user with four versions."""
    (number,) = await stack.create("history", JANE)
    await stack.change(
        number, {"phone": "2"}, {"cell": "3", "location": {"city": "Köln", "postcode": None}}, {"phone": "4"}
    )
    return number


async def look(visit: Visit, number: int, **more: str) -> None:
    await visit.open(view="users", id=str(number), **more)
    await expect(visit.page.locator("#user-state")).to_contain_text(f"User {number}, of run")


async def said(visit: Visit, element: str, words: str | re.Pattern[str]) -> None:
    await expect(visit.page.locator(f"#{element}")).to_contain_text(words)


async def fields(visit: Visit, kind: str) -> list[str]:
    """What is marked as added, changed, removed or the same: the fields with all that is said of them."""
    rows = await visit.page.locator(f"#differences > [data-kind={kind}]").all_inner_texts()
    return [" ".join(row.split()) for row in rows]


async def test_the_slider_goes_through_all_versions_by_keyboard(visit: Visit, jane: int):
    await look(visit, jane)
    await visit.tab_to("#version")
    slider, keyboard = visit.page.locator("#version"), visit.page.keyboard
    await said(visit, "version-change", "Changed: phone.")
    assert await fields(visit, "changed") == ["phone changed was 2 4"]

    await keyboard.press("ArrowLeft")
    await said(visit, "version-change", "Changed: location.city. Added: cell. Removed: location.postcode.")
    await expect(slider).to_have_attribute("aria-valuetext", "Version 3 of 4, UPDATED")
    assert await fields(visit, "added") == ["cell added 3"]
    assert await fields(visit, "changed") == ["location.city changed was Bonn Köln"]
    assert await fields(visit, "removed") == ["location.postcode removed was 5"]
    assert "phone 2" in await fields(visit, "same")
    await said(visit, "version-origin", re.compile(r"UPDATED on .* by instance-\d\. SYNCRONIZED .* later by"))
    await visit.page.wait_for_url(re.compile(rf"id={jane}&version=3"))

    await keyboard.press("Home")
    await said(visit, "version-change", "The first version: all of it is new.")
    assert "location.postcode 5" in await fields(visit, "same")
    await keyboard.press("End")
    await said(visit, "version-words", "Version 4 of 4")
    await expect(slider).to_be_focused()


async def test_the_address_names_the_version_and_leads_to_it(visit: Visit, jane: int):
    await look(visit, jane, version="3")
    await said(visit, "version-words", "Version 3 of 4")
    await expect(visit.page.locator("#version")).to_be_focused()
    await expect(visit.page.locator("#history")).to_be_in_viewport()
    await visit.page.click("#later")
    await visit.page.wait_for_url(re.compile("version=4"))
    await visit.page.reload()
    await said(visit, "version-words", "Version 4 of 4")
    await said(visit, "version-change", "Changed: phone.")
    for beyond, shown in (("99", 4), ("0", 4), ("-3", 1), ("abc", 4)):
        await look(visit, jane, version=beyond)
        await said(visit, "version-words", f"Version {shown} of 4")


async def test_every_event_is_listed_and_leads_to_its_version(visit: Visit, jane: int):
    await look(visit, jane)
    events = visit.page.locator("#events li")
    types = await events.locator("code").all_inner_texts()
    assert [kind for kind in types if kind != "SYNCRONIZED"] == ["CREATED", *["UPDATED"] * 3]
    assert types[-1] == "SYNCRONIZED"
    await events.nth(0).locator("a").click()
    await said(visit, "version-words", "Version 1 of 4")
    await expect(events.nth(0).locator("a")).to_have_attribute("aria-current", "true")
    await visit.page.wait_for_url(re.compile("version=1"))


async def test_a_very_long_history_is_shown_in_part_and_reached_in_full(visit: Visit, jane: int):
    async def lengthen(route: Route) -> None:
        rows = await (await route.fetch()).json()
        last = [event for event in rows["events"] if event["eventType"] == "UPDATED"][-1]
        more = [last | {"version": version} for version in range(5, 3_001)]
        await route.fulfill(json=rows | {"version": 3_000, "events": rows["events"] + more})

    await visit.page.route(f"**/api/v1/user-command/{jane}", lengthen)
    await look(visit, jane)
    await said(visit, "version-words", "Version 3,000 of 3,000")
    await expect(visit.page.locator("#events li")).to_have_count(200)
    await said(visit, "events-words", "The newest 200 of 3,0")
    await expect(visit.page.locator("#rows summary:has-text('prm_user_event')")).to_have_count(10)
    await visit.page.locator("#version").press("Home")
    await said(visit, "version-words", "Version 1 of 3,000")
    await said(visit, "version-change", "The first version: all of it is new.")


async def test_who_looks_at_the_last_version_goes_on_with_it_and_others_stay(
    visit: Visit, stack: Stack, jane: int
):
    await look(visit, jane)
    await visit.page.click("#edit-open")
    await visit.page.get_by_label("Phone", exact=True).fill("5")
    await visit.page.click("#edit-save")
    await said(visit, "version-words", "Version 5 of 5")
    await visit.page.click("#earlier")
    await said(visit, "version-words", "Version 4 of 5")
    await visit.page.click("#edit-open")
    await visit.page.get_by_label("Phone", exact=True).fill("6")
    await visit.page.click("#edit-save")
    await said(visit, "version-words", "Version 4 of 6")


async def test_a_deleted_user_has_its_history_still(visit: Visit, jane: int):
    await look(visit, jane)
    await visit.page.click("#removal-open")
    await expect(visit.page.locator("#removal-keep")).to_be_focused()
    await said(visit, "removal", "Delete Jane Doe? Readers will not find the user any more")
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.locator("#removal-open")).to_be_focused()

    await visit.page.click("#removal-open")
    await visit.page.click("#removal-do")
    await said(visit, "user-news", "Deleted in both databases.")
    await expect(visit.page.locator("#user-title")).to_be_focused()
    await said(
        visit, "user-state", re.compile(r"was deleted on .* by instance-\d\..*Its history is still there")
    )
    await said(visit, "rows-version", "version 5, deleted")
    await said(visit, "document-words", f"MongoDB has no user {jane}.")
    await said(visit, "version-change", "From here on nobody reads it.")
    assert await visit.page.is_hidden("#edit-open")

    await visit.page.reload()
    await visit.page.click("#earlier")
    await said(visit, "version-words", "Version 4 of 5")
    await said(visit, "version-change", "Changed: phone.")
    assert "name.first Jane" in await fields(visit, "same")


async def test_only_who_has_seen_the_last_version_deletes_it(visit: Visit, stack: Stack, jane: int):
    await look(visit, jane)
    await stack.change(jane, {"phone": "6"})
    await visit.page.click("#removal-open")
    await visit.page.click("#removal-do")
    await said(
        visit, "removal-state", "it has version 5 now, and you have looked at version 4. Nothing was deleted."
    )
    await expect(visit.page.locator("#removal-do")).to_be_hidden()
    await visit.page.click("#removal-again")
    await said(visit, "rows-version", "version 5")
    await visit.page.click("#removal-open")
    await visit.page.click("#removal-do")
    await said(visit, "user-news", "Deleted in")


async def test_who_erases_a_user_says_so_twice_and_nothing_is_left(visit: Visit, jane: int):
    await look(visit, jane)
    await visit.page.click("#removal-open")
    await visit.page.click("#erase-instead")
    await said(visit, "removal", "Erase Jane Doe for good?")
    await said(
        visit,
        "erasure",
        re.compile("What is lost:.*all that is known of the person.*all 4 versions", re.DOTALL),
    )
    await expect(visit.page.locator("#erase-sure")).to_be_focused()
    await visit.page.click("#removal-do")
    await said(visit, "removal-state", "Tick the box first.")
    await visit.page.check("#erase-sure")
    await visit.page.click("#removal-do")
    await said(visit, "user-news", "Erased in both databases.")
    await said(visit, "user-state", re.compile("was erased on .*Nothing is left of the person"))
    await said(visit, "version-change", "All that was known of the person was forgotten, in every version")
    assert await visit.page.is_hidden("#slide")
    assert await visit.page.is_hidden("#removal-open")

    await look(visit, jane, version="2")
    await said(visit, "version-words", "Version 2 of 5")
    assert await visit.page.locator("#differences > div").count() == 0
    shown = await visit.page.locator("#user").text_content() or ""
    assert "Jane" not in shown
    assert "Köln" not in shown
    await said(visit, "events", "ERASED")


async def test_a_deleted_user_can_still_be_erased(visit: Visit, stack: Stack, jane: int):
    await stack.delete(jane)
    await look(visit, jane)
    await visit.page.click("text=Erase…")
    await said(visit, "removal", f"Erase User {jane} for good?")
    await visit.page.check("#erase-sure")
    await visit.page.click("#removal-do")
    await said(visit, "user-news", "Erased in both databases.")
