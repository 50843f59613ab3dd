"""What the page shows of a run while it goes on: the server's numbers, whoever sends and whatever dies."""

import re
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect

from page_stack import Stack, parent_of
from tandem_lab.strikes import stopped
from visit import STAGES, Visit, user
from waiting import until
from watching import Event, watch


async def test_who_only_watches_sees_the_same_as_who_sends(visit: Visit, browser: Browser):
    await visit.fill(count=100)
    await visit.generate()
    watcher = Visit(await browser.new_page(), visit.url)
    await watcher.open(seed=await visit.page.input_value("#seed"))
    await visit.until("done")

    said = "All 100 users sent so far are in both databases."
    await expect(watcher.page.locator("#progress")).to_have_text(said)
    assert await watcher.stages() == await visit.stages() == [100] * 4
    await watcher.page.close()


async def test_a_reload_in_mid_run_shows_the_run_with_its_past(visit: Visit):
    await visit.fill(count=1_000)
    await visit.speed(rate=20)
    await visit.generate()
    await visit.until("sending")
    await visit.until_samples(7)
    accepted = await visit.number("accepted-count")
    await visit.page.reload()
    await visit.until_live()
    await expect(visit.page.locator("#pending")).to_have_text("0")

    assert accepted <= await visit.number("accepted-count") < 1_000
    curve = visit.page.locator("#rate-chart .curve.write")
    assert (await curve.get_attribute("d") or "").count("L") >= 2
    assert await visit.page.is_hidden("#run")


async def test_a_reload_in_mid_run_knows_how_many_were_wanted_and_sends_the_rest(visit: Visit):
    await visit.fill(count=300)
    await visit.speed(rate=40)
    await visit.generate()
    await visit.until("sending")
    await visit.until_samples(1)
    await visit.page.reload()
    await expect(visit.page.locator("#resume-offer")).to_contain_text("300 users were wanted")
    await expect(visit.page.locator("#progress")).to_contain_text("of 300 are in both databases")
    await expect(visit.page.locator("#progress")).to_contain_text("This page does not send the rest.")
    before = await visit.number("accepted-count")
    assert before < 300

    await visit.page.click("#resume")
    await visit.until("done")
    assert "were there before, and nobody is created twice" in await visit.text("status")
    assert await visit.text("progress") == "All 300 users are in both databases."
    assert await visit.stages() == [300] * 4
    assert sum(row["total"] for row in await visit.statistics()) == 300
    assert await visit.page.is_hidden("#resume-offer")

    await visit.page.reload()
    await visit.until_live()
    await visit.until_samples(1)
    assert await visit.page.is_hidden("#resume-offer")


async def test_a_run_that_begins_is_not_said_to_have_nothing(visit: Visit):
    await visit.until_samples(1)
    assert await visit.text("progress") == "Nothing has been sent yet."
    await visit.fill(count=100)
    await visit.speed(rate=100)
    await visit.generate()

    assert await visit.text("progress") != "Nothing has been sent yet."
    await visit.until("done")


async def test_a_finished_run_has_no_rate_and_full_bars(visit: Visit):
    await visit.fill(count=120)
    await visit.generate()
    await visit.until("done")

    assert await visit.text("progress") == "All 120 users are in both databases."
    assert [await visit.text(f"{stage}-rate") for stage in STAGES] == [""] * 4
    assert await moving(visit) == []
    assert await visit.text("lag-now") == "none"
    assert "in flight" not in await visit.text("instances")
    shares = visit.page.locator("#instances .share .done")
    assert await shares.evaluate_all("bars => bars.map(bar => bar.style.width)") == ["100%"] * 3


async def moving(visit: Visit) -> list[str]:
    """The stations from which users are shown to travel on."""
    return await visit.page.eval_on_selector_all("#line > .moving", "found => found.map(e => e.className)")


async def test_the_charts_say_in_words_what_they_draw(visit: Visit):
    await visit.fill(count=150)
    await visit.speed(rate=75)
    await visit.generate()
    await visit.until("done")

    rates = await visit.page.get_attribute("#rate-chart svg", "aria-label") or ""
    assert re.fullmatch(r"Over 0:\d\d: accepted at most [\d.]+/s, synchronized at most [\d.]+/s\.", rates)
    lag = await visit.page.get_attribute("#lag-chart svg", "aria-label") or ""
    assert re.fullmatch(r"Over 0:\d\d: oldest waiting at most .*m?s, arrived at most .*m?s\.", lag)
    for figure in ("lag-p50", "lag-p99"):
        assert (await visit.text(figure)).endswith(" ms")


@pytest.mark.slow
async def test_an_instance_killed_in_mid_run_is_shown_and_the_run_ends_complete(visit: Visit, stack: Stack):
    victim = (await stack.instances())[0]
    await visit.fill(count=1_500)
    await visit.speed(rate=200)
    await visit.generate()
    await visit.until("sending")
    await visit.until_samples(1)
    with stopped(parent_of(victim["pid"])):  # which would start it again before the page saw it gone
        await stack.kill(victim)
        await expect(visit.instance(victim["app_id"]).filter(has_text="gone")).to_be_visible()
    assert await visit.number("accepted-count") < 1_500
    await visit.until("done")

    assert await visit.text("status") == "Done: 1,500 users are in both databases."
    assert await visit.stages() == [1_500] * 4
    happened = visit.page.locator("#happenings")
    for sentence in (f"{victim['app_id']} is gone.", f"{victim['app_id']} has started."):
        await expect(happened).to_contain_text(sentence)
    await stack.until_restarted(victim)


def told_in(event: Event) -> list[str]:
    """What an event says has happened."""
    return [each["text"] for each in event.get("happenings", ())]


@pytest.mark.slow
async def test_the_death_of_the_instance_that_is_watched_through_is_told_by_the_next(stack: Stack):
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as client:
        async with watch(client, "watched-through") as watching:
            victim = (await watching.next())["appId"]
            await stack.create("watched-through", *map(user, range(3)))
            # A second later, what was seen is kept.
            await watching.until(lambda event: event["stages"]["synchronized"] == 3)
            await watching.next()
            (instance,) = [each for each in await stack.instances() if each["app_id"] == victim]
            with stopped(parent_of(instance["pid"])):  # which would start it again before anybody asks
                await stack.kill(instance)
                with pytest.raises(httpx.RemoteProtocolError):
                    await watching.rest()
                async with watch(client, "watched-through") as again:
                    # On a busy machine PostgreSQL takes the dead one's session for a living one for a moment.
                    events = await again.until(lambda event: f"{victim} is gone." in told_in(event))
        assert {sentence for event in events for sentence in told_in(event)} == {f"{victim} is gone."}
    await stack.until_restarted(instance)


async def until_asked(stack: Stack, instance: dict[str, Any]) -> None:
    """The load balancer leaves out for a while who has failed in another test."""
    async with httpx.AsyncClient(base_url=stack.url) as client:

        async def is_asked() -> bool:
            answer = await client.post("/api/v1/user-command", params={"seed": "who-is-asked"}, json=user(1))
            return answer.status_code == 201 and answer.json()["appId"] == instance["app_id"]

        await until(is_asked, f"{instance['app_id']} is asked")


@pytest.mark.slow
async def test_who_took_over_the_users_of_a_frozen_instance_is_shown(visit: Visit, stack: Stack):
    await visit.until_live()
    answering = (await visit.text("connection")).rpartition(" ")[2]
    victim = next(each for each in await stack.instances() if each["app_id"] != answering)
    shown = visit.instance(victim["app_id"])
    await until_asked(stack, victim)
    with ExitStack() as ice:
        async with stack.without_mongodb():
            await visit.fill(count=60)
            await visit.generate()
            await visit.until("synchronizing")
            await expect(shown).to_contain_text("pending")
            ice.enter_context(stopped(victim["pid"]))
        await expect(shown).to_contain_text("silent")
        await visit.until("done")
        took_over = re.compile(rf"Took over [\d,]+ users? of {victim['app_id']}")
        await expect(visit.page.locator("#instances")).to_contain_text(took_over)

    assert await visit.stages() == [60] * 4
    await expect(visit.page.locator("#happenings")).to_contain_text(f"{victim['app_id']} is back.")


@pytest.mark.slow
async def test_a_run_goes_on_while_mongodb_is_away_and_ends_complete(visit: Visit, stack: Stack):
    await visit.fill(count=2_000)
    await visit.speed(rate=200)
    await visit.generate()
    await visit.until("sending")
    mongodb = visit.page.locator("#mongodb-state")
    async with stack.without_mongodb():
        await expect(mongodb).to_have_text("down")
        await expect(visit.page.locator("#projected-gap")).to_contain_text("on the way")
        await expect(visit.page.locator("#postgresql-state")).to_have_text("up")
        stalled = re.compile(
            r"^Stalled: MongoDB is down, [\d,]+ users are waiting, the oldest for [\d.]+ s\.$"
        )
        await expect(visit.page.locator("#progress")).to_have_text(stalled)
        await expect(visit.page.locator("#lag-now")).to_have_text(re.compile(r"^[\d.]+ s$"))
        await expect(visit.page.locator("#eta")).to_have_text("stalled")
        assert [name for name in await moving(visit) if "browser" not in name] == []
        assert await visit.text("projected-rate") == await visit.text("synchronized-rate") == ""
        # Somebody who comes now sees the same, from what the server keeps.
        watcher = Visit(await visit.page.context.browser.new_page(), visit.url)
        await watcher.open(seed=await visit.page.input_value("#seed"))
        await expect(watcher.page.locator("#progress")).to_have_text(stalled)
        oldest = watcher.page.locator("#lag-chart .curve.lag")
        await expect(oldest).to_have_attribute("d", re.compile(r"^M[^M]+$"))  # one line: it has no hole
        await watcher.page.close()
    await expect(mongodb).to_have_text("up")
    await visit.until("done")

    assert await visit.text("status") == "Done: 2,000 users are in both databases."
    assert await visit.stages() == [2_000] * 4
    for sentence in ("MongoDB does not answer.", "MongoDB answers again."):
        await expect(visit.page.locator("#happenings")).to_contain_text(sentence)


@pytest.mark.slow
async def test_a_postgresql_that_is_away_takes_nobody_and_says_nothing_new(visit: Visit, stack: Stack):
    await visit.fill(count=600)
    await visit.speed(rate=100)
    await visit.generate()
    await visit.until("sending")
    await visit.until_samples(3)
    async with stack.without_postgresql():
        await expect(visit.page.locator("#postgresql-state")).to_have_text("down")
        await expect(visit.page.locator("#progress")).to_contain_text("PostgreSQL is down")
        await expect(visit.page.locator("#progress")).to_contain_text("The numbers are those of")
        assert [await visit.text(f"{stage}-rate") for stage in STAGES] == [""] * 4
        assert await moving(visit) == []
        assert re.fullmatch("–|stalled", await visit.text("eta"))
        states = await visit.page.locator("#instances .pill").all_inner_texts()
        assert states == ["not known"] * 3
    await expect(visit.page.locator("#postgresql-state")).to_have_text("up")
    await visit.until("done")
    assert await visit.stages() == [600] * 4


@pytest.mark.slow
async def test_instances_that_are_all_dead_are_not_said_to_be_ready(visit: Visit, stack: Stack):
    await visit.fill(count=50)
    await visit.generate()
    await visit.until("done")
    async with stack.without_instances():
        await expect(visit.page.locator("#connection")).to_have_text("reconnecting")
        states = await visit.page.locator("#instances .pill").all_inner_texts()
        assert states == ["not known"] * 3
        await expect(visit.page.locator("#progress")).to_contain_text("The numbers are those of")
        assert await moving(visit) == []
    await visit.until_live()


async def test_a_broken_stream_is_said_and_opened_again(visit: Visit):
    await visit.page.route("**/api/v1/live?*", lambda route: route.abort("connectionreset"))
    await visit.page.reload()
    connection = visit.page.locator("#connection")
    await expect(connection).to_have_text("reconnecting")
    await expect(visit.page.locator("#progress")).to_have_text("No answer (network error).")

    await visit.page.unroute("**/api/v1/live?*")
    await visit.until_live()


async def test_a_view_without_a_stream_holds_no_connection_open(visit: Visit):
    await visit.until_live()
    async with visit.page.expect_event("requestfailed", lambda request: "/api/v1/live" in request.url):
        await visit.page.click("#tab-runs")

    await visit.page.click("#tab-live")
    await visit.until_live()
