"""The line over every view that says whether both databases are equal."""

import re

from playwright.async_api import expect

from page_stack import Stack
from visit import Visit, user


async def test_the_page_says_that_both_databases_are_equal_and_what_differs(visit: Visit, stack: Stack):
    await stack.retry_dead_letters()
    [user_id] = await stack.create("equality", user(1))
    await visit.open(view="runs")
    line = visit.page.locator("#equality")
    await expect(line).to_have_text(re.compile(r"^equal, as of .* ago, [\d,]+ users?$"))
    assert await visit.violations() == []

    async with stack.documents() as documents:
        taken = await documents.find_one_and_delete({"_id": user_id})
        await expect(line).to_have_text("not equal: 1 missing")
        assert await visit.violations() == []
        await documents.insert_one(taken)
    await expect(line).to_have_text(re.compile("^equal, "))
