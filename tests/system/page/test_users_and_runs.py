"""Looking at users and runs on the page: searches, one user in both forms, statistics, deep links."""

import re

import httpx
import pytest
from playwright.async_api import expect

from page_stack import Stack
from visit import Visit, user

HOSTILE = "<img src=x onerror='document.title=`taken over`'>"
RIGHT_TO_LEFT = "\u202eسارا\ufeff \u200cکریمی"
LONG = "x" * 200


async def found(visit: Visit) -> list[str]:
    """The addresses in the table of users, when the search is over."""
    await expect(visit.page.locator("#search-state")).not_to_have_text(re.compile("Searching|^$"))
    return await visit.page.locator("#found-rows th").all_inner_texts()


async def test_users_are_found_by_any_condition_and_the_address_carries_the_search(
    visit: Visit, stack: Stack
):
    await stack.create(
        "search",
        user(1, name={"first": "Ada", "last": "Lovelace"}, location={"country": "England"}),
        user(2, name={"first": "Grace", "last": "Hopper"}, location={"country": "United States"}),
    )
    await visit.page.click("#tab-users")
    for field, value in [("name", "lovel"), ("country", "engl"), ("email", "user.1@")]:
        await visit.page.click('a:text-is("Clear")')
        await visit.fill(**{"search-seed": "search", f"search-{field}": value})
        await visit.page.press(f"#search-{field}", "Enter")
        await visit.page.wait_for_url(re.compile(rf"{field}=.*seed=search|seed=search.*{field}="))
        assert await found(visit) == ["user.1@example.com"]

    await visit.page.reload()
    assert await found(visit) == ["user.1@example.com"]
    assert await visit.page.input_value("#search-email") == "user.1@"


async def test_a_name_is_found_without_its_accents(visit: Visit, stack: Stack):
    await stack.create("accents", user(1, name={"first": "José", "last": "Núñez"}), user(2))
    await visit.open(view="users", seed="accents", name="nunez")
    assert await found(visit) == ["user.1@example.com"]
    assert await visit.text("search-state") == "1 of 1 user, newest first."


async def test_pages_of_users_follow_each_other_and_go_back(visit: Visit, stack: Stack):
    await stack.create("pages", *(user(number) for number in range(30)))
    await visit.open(view="users", seed="pages")
    first = await found(visit)
    await visit.page.click("#next-page")
    await visit.page.wait_for_url(re.compile("after="))
    await expect(visit.page.locator("#found-rows tr")).to_have_count(5)
    assert [*first, *await found(visit)] == [f"user.{number}@example.com" for number in reversed(range(30))]
    assert await visit.text("search-state") == "5 of 30 users, newest first."

    await visit.page.go_back()
    await expect(visit.page.locator("#found-rows tr")).to_have_count(25)
    assert await found(visit) == first


async def test_a_search_without_a_find_says_so(visit: Visit):
    await visit.open(view="users", email="nobody.is.called.so")
    assert await found(visit) == []
    assert "No user matches" in await visit.text("search-state")


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ([{"_id": 7, "email": "ada@example.com"}], "1 of at least 3 users, newest first. "),
        ([], "No user matches.*"),
    ],
)
async def test_a_search_says_which_cells_do_not_answer(visit: Visit, users, said):
    answer = {"users": users, "next": None, "examined": len(users), "silentCells": [3]}
    answer["total"] = {"users": 3, "isExact": False}
    await visit.page.route("**/api/v1/user-query/search*", lambda route: route.fulfill(json=answer))
    await visit.open(view="users")
    await expect(visit.page.locator("#search-state")).to_have_text(
        re.compile(f"^{said}Cell 3 does not answer: what is shown may leave out what is there.$")
    )


async def test_a_user_is_shown_in_both_forms_with_what_happened_in_between(visit: Visit, stack: Stack):
    (number,) = await stack.create(
        "both", user(1, name={"first": "Ada"}, location={"city": "London", "country": "England"})
    )
    await visit.open(view="users", seed="both")
    await visit.page.click("#found-rows a")
    await visit.page.wait_for_url(re.compile(rf"id={number}"))
    await expect(visit.page.locator("#user-title")).to_have_text("Ada")
    await expect(visit.page.locator("#user-title")).to_be_focused()

    steps = await visit.page.locator("#story li").all_inner_texts()
    assert [re.search(r"CREATED|one document|SYNCRONIZED", step)[0] for step in steps] == [
        "CREATED",
        "one document",
        "SYNCRONIZED",
    ]
    assert re.search(r"^[\d.,]+ ms after the first step", steps[2])
    tables = await visit.page.locator("#rows summary code").all_inner_texts()
    assert tables == ["prm_user", "prm_user_location", "prm_country", *["prm_user_event"] * 2]
    assert "5 rows in 4 tables" in await visit.text("rows-words")
    document = await visit.text("document")
    assert '"city": "London"' in document
    assert f'"_id": {number}' in document


async def test_a_user_that_mongodb_does_not_have_yet_is_told_from_one_that_nobody_has(
    visit: Visit, stack: Stack
):
    async with stack.refusing("refused"), httpx.AsyncClient(base_url=stack.url) as client:
        refused = user(1, email="refused@example.com")
        answer = await client.post("/api/v1/user-command", params={"seed": "refused"}, json=refused)
        await visit.open(view="users", id=str(answer.json()["id"]))
        await expect(visit.page.locator("#document-words")).to_contain_text("No document yet")
        await expect(visit.page.locator("#story")).to_contain_text("MongoDB does not have the user yet")
        await expect(visit.page.locator("#look-again")).to_be_visible()

    await visit.open(view="users", id="9007199254740991")
    await expect(visit.page.locator("#user-state")).to_have_text(
        "Neither database has a user 9007199254740991."
    )


@pytest.mark.slow
async def test_a_database_that_does_not_answer_is_no_absence(visit: Visit, stack: Stack):
    (done,) = await stack.create("frozen", user(1))
    state, story = visit.page.locator("#user-state"), visit.page.locator("#story")
    words = visit.page.locator("#document-words")
    async with stack.without_mongodb(), httpx.AsyncClient(base_url=stack.url) as client:
        answer = await client.post("/api/v1/user-command", params={"seed": "frozen"}, json=user(2))
        for number, second_step in (
            (done, "which confirmed it"),
            (answer.json()["id"], "may have the user or not"),
            (9007199254740991, None),
        ):
            await visit.open(view="users", id=str(number))
            await expect(state).to_have_text("MongoDB has not answered yet. Still waiting.")
            await expect(state).to_contain_text("What MongoDB has is not known. MongoDB does not answer")
            await expect(words).to_contain_text("Not known. MongoDB does not answer")
            said = await visit.text("user")
            for untrue in ("Both databases agree.", "yet", "No document", "Neither database", ".."):
                assert untrue not in said
            if second_step:
                await expect(story).to_contain_text(second_step)
            await expect(visit.page.locator("#look-again")).to_be_visible()

        await visit.open(view="users", seed="frozen")
        search = visit.page.locator("#search-state")
        await expect(search).to_have_text("Searching… MongoDB’s side has not answered yet.")
        await expect(search).to_contain_text(
            "The search failed. MongoDB does not answer; try again in a moment. Press"
        )
        assert await visit.page.is_hidden("#found")


@pytest.mark.slow
async def test_a_postgresql_that_does_not_answer_is_no_absence(visit: Visit, stack: Stack):
    (number,) = await stack.create("frozen-rows", user(1))
    async with stack.without_postgresql():
        await visit.open(view="users", id=str(number))
        said = "What PostgreSQL has is not known. PostgreSQL does not answer"
        await expect(visit.page.locator("#user-state")).to_contain_text(said)
        await expect(visit.page.locator("#rows-words")).to_contain_text(
            "Not known. PostgreSQL does not answer"
        )
        await expect(visit.page.locator("#document")).to_contain_text("user.1@example.com")
        await expect(visit.page.locator("#story-unknown")).to_contain_text("could not be asked")

        await visit.open(view="runs")
        await expect(visit.page.locator("#runs-state")).to_contain_text(
            "The list could not be read. PostgreSQL does not answer"
        )
    await stack.until_synchronized("frozen-rows")


async def test_what_is_no_id_is_said_to_be_none(visit: Visit):
    for wrong in ("abc", "0", "-1"):
        await visit.open(view="users", id=wrong)
        await expect(visit.page.locator("#user-state")).to_have_text(
            f"“{wrong}” is no user’s id. An id is a whole number from 1 on."
        )
        assert await visit.page.is_hidden("#look-again")


@pytest.mark.parametrize("width", [768, 1280])
async def test_seeds_and_stages_of_the_tables_are_not_broken_within(visit: Visit, stack: Stack, width: int):
    await stack.create("vivid-dolphin-878", user(1, name={"first": "Ada", "last": "Lovelace"}))
    await visit.page.set_viewport_size({"width": width, "height": 900})
    for address, cells in (
        ({"view": "runs"}, "#run-rows tr:has-text('vivid-dolphin-878') th a"),
        ({"view": "users", "seed": "vivid-dolphin-878"}, "#found-rows td:nth-child(n+4)"),
    ):
        await visit.open(**address)
        await visit.page.wait_for_selector(cells)
        lines = await visit.page.eval_on_selector_all(
            cells,
            """cells => cells.map(cell => {
                const range = document.createRange();
                range.selectNodeContents(cell);
                return new Set([...range.getClientRects()].map(rect => Math.round(rect.top))).size;
            })""",
        )
        assert set(lines) == {1}


async def test_hostile_names_are_shown_as_text_and_never_widen_the_page(visit: Visit, stack: Stack):
    names = [HOSTILE, RIGHT_TO_LEFT, LONG]
    users = [user(at, name={"first": name, "last": name}, phone=name) for at, name in enumerate(names)]
    ids = await stack.create(HOSTILE, *users)
    await visit.page.set_viewport_size({"width": 360, "height": 800})
    await visit.open(view="users", seed=HOSTILE)
    await found(visit)
    for name in names:
        assert name in (await visit.page.locator("#found-rows").text_content() or "")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") == 360

    for number, name in zip(ids, names, strict=True):
        await visit.open(view="users", id=str(number))
        await expect(visit.page.locator("#user-title")).to_contain_text(name[:40])
        assert name in (await visit.page.locator("#rows").text_content() or "")
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == 360
    assert await visit.page.locator("img[src=x]").count() == 0


async def test_runs_are_listed_newest_first_and_lead_to_their_users(visit: Visit, stack: Stack):
    await stack.create("older-run", user(1))
    await stack.create("newer-run", user(1), user(2))
    await visit.page.click("#tab-runs")
    rows = visit.page.locator("#run-rows tr")
    await expect(rows.nth(0)).to_contain_text("newer-run")
    await expect(rows.nth(1)).to_contain_text("older-run")
    await expect(rows.nth(0)).to_contain_text("all")

    await rows.nth(0).locator("[data-name='Users'] a").click()
    assert await found(visit) == ["user.2@example.com", "user.1@example.com"]

    await visit.page.go_back()
    await visit.page.click("#run-rows >> text=newer-run")
    said = "All 2 users sent so far are in both databases."
    await expect(visit.page.locator("#progress")).to_have_text(said)


async def test_the_described_query_is_shown_with_its_result(visit: Visit, stack: Stack):
    await stack.create("described-run", user(1))
    await visit.open(view="runs")
    await visit.page.click("#run-described")

    await expect(visit.page.locator("#described-state")).to_contain_text(re.compile(r"^\d+ rows? in "))
    assert "group by seed, app_id" in await visit.text("described-sql")
    heads = await visit.page.locator("#described-result th").all_inner_texts()
    assert heads == ["seed", "app_id", "total", "min", "max", "duration"]
    await expect(visit.page.locator("#described-result tbody")).to_contain_text("described-run")
