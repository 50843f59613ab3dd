"""How a run went on the page: its verdict, whom to look at, what happened, and dead letters sent again."""

import json
import re

import pytest
from playwright.async_api import expect

from page_stack import Stack
from visit import Visit, user

JUDGE = "#judge"


async def judge(visit: Visit, seed: str) -> str:
    """Have a run judged on its page, and what is said of it."""
    await visit.open(view="runs", seed=seed)
    await expect(visit.page.locator("#verdict-state")).to_contain_text(
        re.compile("Nobody has asked|As it was judged")
    )
    await visit.page.click(JUDGE)
    await expect(visit.page.locator("#verdict-state")).to_contain_text("As it was judged at")
    return (await visit.page.inner_text(".judgement")).strip()


async def test_a_run_is_judged_and_its_verdict_can_be_linked_and_taken_along(
    visit: Visit, other_visit: Visit, stack: Stack
):
    await stack.create("judged", *(user(number) for number in range(5)))
    assert re.fullmatch(r"5 users in \d+\.\d s; both stores equal\.", await judge(visit, "judged"))
    assert await visit.violations() == []

    await other_visit.open(view="runs", seed="judged")
    await expect(other_visit.page.locator(".judgement")).to_contain_text("both stores equal")
    async with other_visit.page.expect_download() as download:
        await other_visit.page.click("#export-json")
    path = await (await download.value).path()
    assert json.loads(path.read_text())["created"] == 5
    async with other_visit.page.expect_download() as download:
        await other_visit.page.click("#export-html")
    file = await (await download.value).path()
    await other_visit.page.goto("about:blank")
    await other_visit.page.set_content(file.read_text())
    await expect(other_visit.page.locator("p.sentence")).to_contain_text("5 users")

    await visit.page.click("#verdict-back")
    row = visit.page.locator("#run-rows tr").filter(
        has=visit.page.get_by_role("rowheader", name="judged", exact=True)
    )
    await expect(row.locator("td.verdict")).to_contain_text("both stores equal")
    assert await visit.violations() == []


@pytest.mark.slow
async def test_who_differs_or_was_set_aside_is_linked_and_a_dead_letter_is_sent_again(
    visit: Visit, stack: Stack
):
    first, _ = await stack.create("broken", user(1), user(2))
    async with stack.refusing("user.3@"):
        await stack.create("broken", user(3))
        async with stack.documents() as documents:
            taken = await documents.find_one_and_delete({"_id": first})
        said = await judge(visit, "broken")
        assert "equal" not in said
        assert "1 missing" in said
        assert "1 dead letter" in said
        await visit.page.click("#named-differing summary")
        await expect(visit.page.locator("#named-differing a")).to_have_attribute(
            "href", f"/?view=users&id={first}"
        )
        assert await visit.violations() == []

        await visit.open(view="letters", seed="broken")
        letter = visit.page.locator("#letter-list li")
        await expect(letter).to_have_count(1)
        await expect(letter).to_contain_text("DocumentValidationFailure")
        assert await visit.violations() == []
        await letter.get_by_role("button").click()
        await expect(visit.page.locator("#letters-state")).to_contain_text("was refused again.")
    await letter.get_by_role("button").click()
    await expect(visit.page.locator("#letters-state")).to_contain_text("is on its way again.")
    await expect(letter).to_have_count(0)
    await stack.until_synchronized("broken")
    async with stack.documents() as documents:  # others look at whether all of this stack is equal
        await documents.insert_one(taken)


async def test_what_happened_is_there_after_a_reload_and_for_others(
    visit: Visit, other_visit: Visit, stack: Stack
):
    await stack.create("happened", user(1))
    await stack.tell("happened", "instance-2 was killed")
    for each in (visit, other_visit):
        await each.open(seed="happened")
        await expect(each.page.locator("#happenings")).to_contain_text("instance-2 was killed.")
    await visit.page.reload()
    await expect(visit.page.locator("#happenings")).to_contain_text("instance-2 was killed.")
