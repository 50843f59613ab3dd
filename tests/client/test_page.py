"""What a person can do on the page, tried in a real browser against a real stack."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Request, expect
from visit import RANDOMUSER, Visit, user

HOSTILE = "<img src=x onerror='document.title=`taken over`'>"


async def test_a_run_ends_when_the_last_user_is_synchronized(visit: Visit):
    await visit.fill(count=300)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("status") == "Done: 300 users are in both databases."
    assert await visit.text("accepted-count") == "300 of 300"
    assert await visit.text("synchronized-count") == "300 of 300"
    assert await visit.text("errors") == "None."
    rows = await visit.statistics()
    assert [row["appId"] for row in rows] == ["instance-1", "instance-2", "instance-3"]
    assert sum(row["synchronized"] for row in rows) == 300
    assert await visit.column(1) == [row["total"] for row in rows]
    assert await visit.column(2) == [row["synchronized"] for row in rows]


async def test_more_users_than_fit_on_one_page_of_the_generator_are_all_different(visit: Visit):
    emails = set()

    def note(request: Request) -> None:
        if request.method == "POST":
            emails.add(request.post_data_json["email"])

    visit.page.on("request", note)
    await visit.fill(count=1_001)
    await visit.generate()
    await visit.until("done")

    assert len(emails) == 1_001


async def test_the_seed_in_the_address_bar_is_that_of_the_form(visit: Visit):
    made_up = await visit.page.input_value("#seed")
    assert parse_qs(urlsplit(visit.page.url).query) == {"seed": [made_up]}

    await visit.page.click("#fresh-seed")
    another = await visit.page.input_value("#seed")
    assert another != made_up
    await visit.page.reload()
    assert await visit.page.input_value("#seed") == another


async def test_a_second_run_with_the_same_seed_counts_only_its_own_users(visit: Visit):
    for _ in range(2):
        await visit.fill(count=30)
        await visit.generate()
        await visit.until("done")
        assert await visit.text("synchronized-count") == "30 of 30"
        assert sum(await visit.column(2)) == 30

    assert sum(row["total"] for row in await visit.statistics()) == 60


async def test_no_other_host_is_asked_unless_randomuser_me_is_chosen(visit: Visit):
    await visit.fill(count=10)
    await visit.generate()
    await visit.until("done")
    assert visit.foreign_requests == []

    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("failed")
    assert [url.split("?")[0] for url in visit.foreign_requests] == [RANDOMUSER]


async def test_an_unreachable_randomuser_me_is_said_and_the_generator_is_one_click_away(visit: Visit):
    await visit.fill(count=20)
    await visit.choose("randomuser.me")
    await visit.generate()
    await expect(visit.page.locator("#source-notice-text")).to_have_text(
        "randomuser.me cannot be reached. No answer (network error)."
    )
    assert await visit.statistics() == []

    await visit.page.click("text=Use the built-in generator")
    await visit.until("done")
    assert await visit.text("synchronized-count") == "20 of 20"
    await expect(visit.page.locator("#source-notice")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, {"error": "Uh oh"}, "500 without a reason"),
        (200, "<html>Sign in to the hotel's network</html>", "An answer that holds no users"),
        (200, {"results": [user(1)]}, "Only 1 of 5 users came"),
    ],
)
async def test_what_is_no_answer_of_randomuser_me_is_said(
    visit: Visit, status: int, body: object, reason: str
):
    await visit.answer_as_randomuser(body, status)
    await visit.fill(count=5)
    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("failed")

    assert await visit.text("source-notice-text") == f"randomuser.me gave no users. {reason}."
    assert await visit.page.is_visible("text=Use the built-in generator")


async def test_hostile_text_of_users_servers_and_addresses_never_becomes_markup(visit: Visit):
    hostile = user(1, name={"first": HOSTILE, "last": HOSTILE}, phone=HOSTILE)
    refused = {"email": HOSTILE}
    await visit.answer_as_randomuser({"results": [hostile, refused]})
    await visit.fill(count=2, seed=HOSTILE)
    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("done")
    await visit.page.reload()

    assert await visit.page.input_value("#seed") == HOSTILE
    assert await visit.page.locator("img[src=x]").count() == 0
    assert await visit.page.title() == "Tandem: two databases, kept in step"


async def test_cancelling_sends_no_more_and_waits_for_what_was_accepted(visit: Visit):
    await visit.fill(count=5_000)
    await visit.generate()
    await expect(visit.page.locator("#instances tr")).to_have_count(3)
    await visit.page.click("#cancel")
    await visit.until("cancelled")

    accepted = await visit.number("accepted")
    assert 0 < accepted < 5_000
    assert await visit.number("synchronized") == accepted
    rows = await visit.statistics()
    assert (sum(row["total"] for row in rows), sum(row["pending"] for row in rows)) == (accepted, 0)
    assert f"{accepted:,} of 5,000 users were accepted" in await visit.text("status")


@pytest.mark.parametrize(
    ("count", "complaint"),
    [
        ("", "How many users? Enter 1 to 5,000."),
        ("0", "Enter a number from 1 to 5,000."),
        ("5001", "Enter a number from 1 to 5,000."),
        ("1.5", "Users come whole. Enter 1 to 5,000."),
    ],
)
async def test_a_number_of_users_that_cannot_be_is_said_beside_the_field(
    visit: Visit, count: str, complaint: str
):
    await visit.fill(count=count)
    await visit.generate()

    assert await visit.text("count-hint") == complaint
    await expect(visit.page.locator("#count")).to_be_focused()
    assert await visit.page.get_attribute("#count", "aria-invalid") == "true"
    assert await visit.page.get_attribute("#run", "data-phase") == "idle"

    await visit.fill(count=7)
    assert await visit.text("count-hint") == "1 to 5,000"


@pytest.mark.parametrize(
    ("seed", "complaint"),
    [(" ", "A run needs a seed: any word will do."), ("s" * 101, "At most 100 characters; this has 101.")],
)
async def test_a_seed_that_cannot_be_is_said_beside_the_field(visit: Visit, seed: str, complaint: str):
    await visit.fill(seed=seed)
    await visit.generate()

    assert await visit.text("seed-hint") == complaint
    assert await visit.page.get_attribute("#run", "data-phase") == "idle"


async def test_the_longest_seed_of_the_form_is_one_that_the_server_takes(visit: Visit):
    await visit.fill(count=1, seed="ä" * 100)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("accepted-count") == "1 of 1"


async def test_enter_starts_a_run_and_the_focus_stays(visit: Visit):
    await visit.fill(count=5)
    await visit.page.press("#count", "Enter")
    await visit.until("done")

    await expect(visit.page.locator("#count")).to_be_focused()


@pytest.mark.parametrize("width", [360, 768, 1600])
async def test_the_page_never_scrolls_sideways(visit: Visit, width: int):
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await visit.answer_as_randomuser(
        {"results": [user(number) for number in range(5)] + [{"email": "x" * 300}]}
    )
    await visit.fill(count=6, seed="a-rather-long-seed-without-any-chance-to-break-" + "x" * 50)
    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("done")

    assert await visit.page.evaluate("document.documentElement.scrollWidth") == width


async def test_each_field_and_bar_has_a_name_for_those_who_cannot_see(visit: Visit):
    for role, name in [
        ("spinbutton", "Number of users"),
        ("textbox", "Seed"),
        ("radio", "Built-in generator"),
        ("button", "Make a new seed"),
        ("progressbar", "Accepted"),
        ("progressbar", "Synchronized"),
        ("table", "Instances"),
        ("link", "Swagger UI"),
    ]:
        await expect(visit.page.get_by_role(role, name=name)).to_be_visible()
