"""What the page makes of refusals, lost answers and servers that go away, in a real browser."""

from collections import defaultdict

import pytest
from playwright.async_api import Request, Response, Route, expect

from lossy_relay import losing_answers
from page_stack import Stack
from visit import STAGES, Visit, creates_a_user, user

COMMANDS = "**/api/v1/user-command?*"


async def break_off(visit: Visit, commands: int) -> None:
    """Break off the connections of so many commands, and let the others through."""
    left = commands

    async def decide(route: Route) -> None:
        # `times` of Playwright can break off one fewer, where two are on their way at once.
        nonlocal left
        left -= 1
        await (route.abort("connectionreset") if left >= 0 else route.continue_())

    await visit.page.route(COMMANDS, decide)


async def test_refused_users_are_counted_with_the_reason_and_the_others_go_on(visit: Visit):
    users = [user(number) for number in range(7)] + [{"email": "nowhere"}] * 3
    await visit.answer_as_randomuser({"results": users})
    await visit.fill(count=10)
    await visit.choose("randomuser.me")
    await visit.generate()
    await visit.until("done")

    assert await visit.text("status") == "Done: 7 users are in both databases. 3 users were given up."
    assert await visit.text("failed") == "3 given up"
    errors = await visit.text("errors")
    assert "400" in errors
    assert "#/email" in errors
    assert "3 given up" in errors


async def test_a_user_whose_request_breaks_is_sent_again(visit: Visit):
    await break_off(visit, 2)
    await visit.fill(count=20)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("status") == "Done: 20 users are in both databases."
    assert "2 sent again" in await visit.text("errors")


async def test_each_user_has_a_key_of_its_own_and_keeps_it_when_sent_again(visit: Visit):
    keys = defaultdict(list)

    def note(request: Request) -> None:
        if creates_a_user(request):
            keys[request.post_data_json["email"]].append(request.headers["idempotency-key"])

    visit.page.on("request", note)
    await break_off(visit, 2)
    await visit.fill(count=20)
    await visit.generate()
    await visit.until("done")

    assert sum(len(of_one_user) for of_one_user in keys.values()) == 22
    assert [len(set(of_one_user)) for of_one_user in keys.values()] == [1] * 20
    assert len({of_one_user[0] for of_one_user in keys.values()}) == 20


async def test_a_user_whose_answer_is_lost_on_the_way_is_created_once(visit: Visit, stack: Stack):
    replays = []

    def note(response: Response) -> None:
        if "idempotent-replayed" in response.headers:
            replays.append(response.status)

    visit.page.on("response", note)
    async with losing_answers(stack.port, 5) as relay:
        visit.url = relay.url
        await visit.open()
        await visit.fill(count=40)
        await visit.generate()
        await visit.until("done")

        assert (relay.lost, replays) == (5, [201] * 5)
        assert await visit.text("status") == "Done: 40 users are in both databases."
        assert await visit.stages() == [40] * 4


async def test_users_that_mongodb_refuses_are_counted_and_not_waited_for(visit: Visit, stack: Stack):
    refused = [user(number, email=f"refused.{number}@example.com") for number in range(3)]
    await visit.answer_as_randomuser({"results": [*(user(number) for number in range(7)), *refused]})
    await visit.choose("randomuser.me")
    async with stack.refusing("refused"):
        await visit.fill(count=10)
        await visit.generate()
        await visit.until("done")

        done = "Done: 7 users are in both databases. 3 users were refused by MongoDB."
        assert await visit.text("status") == done
        assert await visit.text("sent-count") == "10 of 10"
        errors = await visit.text("errors")
        assert "Refused by MongoDB" in errors
        assert "3 set aside" in errors

        await visit.generate()  # once more: this run counts its own only, and it has none
        await visit.until("done")
        assert (await visit.text("status")).startswith("Done: nobody was created. 10 users were there before")
        assert await visit.page.locator("#errors li").count() == 0


async def test_a_page_that_came_by_plain_http_from_another_host_works_as_well(visit: Visit, stack: Stack):
    visit.url = f"http://tandem.test:{stack.port}/"
    await visit.open()
    assert await visit.page.evaluate("isSecureContext") is False
    await visit.fill(count=20)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("status") == "Done: 20 users are in both databases."


@pytest.mark.slow  # 12 users, each with all its attempts and the pauses between them
async def test_a_server_that_is_gone_stops_the_run(visit: Visit):
    await visit.fill(count=100)
    await visit.page.route(COMMANDS, lambda route: route.abort("connectionrefused"))
    await visit.generate()
    await visit.until("failed")

    assert "took none of the last 12 users" in await visit.text("status")
    assert await visit.page.get_attribute("#generate", "aria-disabled") == "false"


@pytest.mark.slow
async def test_what_nobody_knows_is_not_shown_as_none(visit: Visit, stack: Stack):
    async with stack.without_postgresql():
        await visit.open(seed="never-asked-for")
        await expect(visit.page.locator("#progress")).to_have_text(
            "PostgreSQL is down, so nothing is known yet."
        )
        for number in (*(f"{stage}-count" for stage in STAGES), "pending", "dead-letters"):
            await expect(visit.page.locator(f"#{number}")).to_have_text("–")
