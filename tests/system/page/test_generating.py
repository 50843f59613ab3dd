"""Generating users on the page, tried in a real browser against a real stack."""

from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Request, expect

from random_user_site import random_user_site, recorded_users
from visit import RANDOMUSER, Visit, creates_a_user, user

HOSTILE = "<img src=x onerror='document.title=`taken over`'>"


async def test_a_run_ends_when_the_last_user_is_synchronized(visit: Visit):
    await visit.fill(count=120)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("status") == "Done: 120 users are in both databases."
    assert await visit.text("sent-count") == "120 of 120"
    assert await visit.stages() == [120] * 4
    assert await visit.text("progress") == "All 120 users are in both databases."
    assert await visit.page.is_hidden("#errors-title")
    rows = await visit.statistics()
    assert [row["appId"] for row in rows] == ["instance-1", "instance-2", "instance-3"]
    assert sum(row["synchronized"] for row in rows) == 120
    for row in rows:
        await expect(visit.instance(row["appId"])).to_contain_text(f"{row['total']} users")


async def test_the_same_seed_makes_the_same_users_however_many_are_wanted(visit: Visit):
    emails = defaultdict(list)

    def note(request: Request) -> None:
        if creates_a_user(request):
            emails[len(runs)].append(request.post_data_json["email"])

    runs: list[int] = []
    visit.page.on("request", note)
    for count in (501, 20):
        await visit.fill(count=count)
        await visit.generate()
        await visit.until("done")
        runs.append(count)

    assert len(set(emails[0])) == 501
    assert len(emails[1]) == 20
    assert set(emails[1]) < set(emails[0])


async def test_users_are_fetched_by_pages_that_a_browser_decodes_in_no_time(visit: Visit):
    pages = []

    def note(request: Request) -> None:
        if "random-users" in request.url:
            pages.append(parse_qs(urlsplit(request.url).query)["results"])

    visit.page.on("request", note)
    await visit.fill(count=100_000)
    await visit.speed(rate=50)
    await visit.generate()
    await visit.until("sending")
    await visit.page.click("#cancel")
    await visit.until("cancelled")

    assert pages == [["500"], ["500"]]


async def test_the_seed_in_the_address_bar_is_that_of_the_form(visit: Visit):
    made_up = await visit.page.input_value("#seed")
    assert parse_qs(urlsplit(visit.page.url).query) == {"seed": [made_up]}

    await visit.page.click("#fresh-seed")
    another = await visit.page.input_value("#seed")
    assert another != made_up
    await visit.page.reload()
    assert await visit.page.input_value("#seed") == another


async def test_generating_again_with_the_same_seed_creates_nobody_twice(visit: Visit):
    for count, said in (
        (30, "Done: 30 users are in both databases."),
        (30, "Done: nobody was created. 30 users were there before, and nobody is created twice."),
        (
            50,
            "Done: 20 users are in both databases. 30 users were there before, and nobody is created twice.",
        ),
    ):
        await visit.fill(count=count)
        await visit.generate()
        await visit.until("done")
        assert await visit.text("status") == said
        assert await visit.text("sent-count") == f"{count} of {count}"
        assert await visit.text("progress") == f"All {count} users are in both databases."

    assert await visit.stages() == [50] * 4


async def test_a_seed_that_has_users_of_another_source_is_said_in_one_sentence(visit: Visit):
    posts = []

    def note(request: Request) -> None:
        if creates_a_user(request):
            posts.append(request)

    await visit.answer_as_randomuser({"results": [user(number) for number in range(60)]})
    await visit.fill(count=60)
    await visit.generate()
    await visit.until("done")
    await visit.choose("randomuser.me")
    visit.page.on("request", note)
    await visit.generate()
    await visit.until("failed")

    status = await visit.text("status")
    assert status.startswith("Stopped. This seed has other users already, from another source. Take another")
    assert status.endswith("0 of 60 users were accepted.")
    assert 1 <= len(posts) <= 5
    assert await visit.page.locator("#errors li").count() == 0
    assert await visit.stages() == [60] * 4
    assert await visit.page.is_hidden("#resume-offer")


async def test_no_more_requests_are_under_way_than_were_asked_for(visit: Visit):
    under_way: set[Request] = set()
    most = 0

    def note(request: Request) -> None:
        nonlocal most
        if creates_a_user(request):
            under_way.add(request)
            most = max(most, len(under_way))

    def forget(request: Request) -> None:
        under_way.discard(request)

    visit.page.on("request", note)
    visit.page.on("requestfinished", forget)
    await visit.fill(count=60)
    await visit.speed(concurrency=2)
    await visit.generate()
    await visit.until("done")

    assert most == 2


async def test_a_paused_run_sends_nothing_until_it_is_resumed(visit: Visit):
    sent_while_paused = []

    def note(request: Request) -> None:
        if creates_a_user(request):
            sent_while_paused.append(request)

    await visit.fill(count=100)
    await visit.speed(rate=25)
    await visit.generate()
    await visit.until("sending")
    await visit.page.click("#pause")
    await visit.until("paused")
    await expect(visit.page.locator("#pause")).to_have_text("Resume")
    visit.page.on("request", note)
    await visit.until_samples(2)
    visit.page.remove_listener("request", note)
    assert sent_while_paused == []

    await visit.page.click("#pause")
    await visit.until("done")
    assert await visit.stages() == [100] * 4


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
    assert await visit.text("synchronized-count") == "20"
    await expect(visit.page.locator("#source-notice")).to_be_hidden()


async def test_a_run_of_real_answers_of_randomuser_me_ends_complete(visit: Visit):
    users = recorded_users()
    async with random_user_site(users) as site:
        await visit.redirect_randomuser(site.url)
        await visit.fill(count=len(users))
        await visit.choose("randomuser.me")
        await visit.generate()
        await visit.until("done")

    assert await visit.text("status") == f"Done: {len(users)} users are in both databases."
    assert await visit.stages() == [len(users)] * 4


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
    assert await visit.page.title() == "Two databases, kept in step · Tandem"


async def test_cancelling_sends_no_more_and_waits_for_what_was_accepted(visit: Visit):
    await visit.fill(count=5_000)
    await visit.generate()
    await expect(visit.page.locator("#progress")).to_contain_text("of 5,000 are in both databases")
    await visit.page.click("#cancel")
    await visit.until("cancelled")

    accepted = await visit.number("accepted-count")
    assert 0 < accepted < 5_000
    assert await visit.number("synchronized-count") == accepted
    rows = await visit.statistics()
    assert (sum(row["total"] for row in rows), sum(row["pending"] for row in rows)) == (accepted, 0)
    assert f"{accepted:,} of 5,000 users were accepted" in await visit.text("status")
    assert await visit.text("cancel") == "Cancel"
    await expect(visit.page.locator("#progress")).to_have_text(
        f"All {accepted:,} users sent so far are in both databases."
    )


async def test_what_cannot_be_is_said_beside_the_field(visit: Visit):
    await visit.speed()
    for field, wrong, complaint, right in [
        ("count", "", "How many users? Enter 1 to 100,000.", "7"),
        ("count", "0", "Enter a whole number from 1 to 100,000.", "7"),
        ("count", "100001", "Enter a whole number from 1 to 100,000.", "7"),
        ("count", "1.5", "Enter a whole number from 1 to 100,000.", "7"),
        ("seed", " ", "A run needs a seed: any word will do.", "run"),
        ("seed", "s" * 101, "At most 100 characters; this has 101.", "run"),
        ("concurrency", "6", "Enter a whole number from 1 to 5.", "5"),
        ("rate", "-1", "Enter a whole number from 0 to 10,000.", "0"),
    ]:
        hint = await visit.text(f"{field}-hint")
        await visit.fill(**{field: wrong})
        await visit.generate()

        assert await visit.text(f"{field}-hint") == complaint
        await expect(visit.page.locator(f"#{field}")).to_be_focused()
        assert await visit.page.get_attribute(f"#{field}", "aria-invalid") == "true"
        assert await visit.page.get_attribute("#run", "data-phase") == "idle"

        await visit.fill(**{field: right})
        assert await visit.text(f"{field}-hint") == hint


async def test_randomuser_me_gives_no_more_than_five_thousand(visit: Visit):
    await visit.choose("randomuser.me")
    assert await visit.text("count-hint") == "1 to 5,000"

    await visit.fill(count=5_001)
    await visit.generate()
    assert await visit.text("count-hint") == "Enter a whole number from 1 to 5,000."
    assert visit.foreign_requests == []


async def test_the_longest_seed_of_the_form_is_one_that_the_server_takes(visit: Visit):
    await visit.fill(count=1, seed="ä" * 100)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("sent-count") == "1 of 1"


async def test_enter_starts_a_run_and_the_focus_stays(visit: Visit):
    await visit.fill(count=5)
    await visit.page.press("#count", "Enter")
    await visit.until("done")

    await expect(visit.page.locator("#count")).to_be_focused()
