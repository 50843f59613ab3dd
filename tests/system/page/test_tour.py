"""The tour of an hour: what it tells people to run runs, and what it tells them to open is there."""

import os
import subprocess

import pytest
import tour
from playwright.async_api import expect

from page_stack import Stack
from places import ROOT
from visit import Visit

STEPS = tour.steps((ROOT / "docs" / "tour.md").read_text())
COMMANDS = [part["command"] for step in STEPS for part in step["parts"] if "command" in part]
# The plain way loses users: that is what the tour shows.
FAILS = "prove --peer plain_way"


@pytest.fixture
def sources(new_place):
    """A folder in which commands find what they name, and may leave what they make."""
    place = new_place()
    for name in (".venv", "examples"):
        (place / name).symlink_to(ROOT / name)
    return place


@pytest.fixture
async def nothing_set_aside(stack: Stack) -> None:
    """Other tests have users refused on this stack; while one is set aside, both databases are not equal."""
    await stack.retry_dead_letters()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("nothing_set_aside")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_tour_runs(command, stack: Stack, sources):
    (sources / ".tandem").symlink_to(stack.data_dir)
    # The first one starts what this stack is already; its port may be anybody's.
    starts = command == "./run.sh"
    asked, folder = (f"{command} --help", ROOT) if starts else (command, sources)
    ended = subprocess.run(
        ["bash", "-c", asked], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == (1 if FAILS in command else 0), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("step", [step for step in STEPS if step["open"]], ids=lambda step: step["title"])
async def test_every_place_that_the_tour_opens_is_there(step, visit: Visit):
    await visit.open(view="tour")
    at = STEPS.index(step) + 1
    if await visit.page.locator(f"#tour-{at}").get_attribute("open") is None:
        await visit.page.click(f"#tour-{at} summary")
    await visit.page.click(f"#tour-{at} a.go")
    assert (
        await visit.page.evaluate("location.pathname + location.search.replace(/[?&]seed=.*/, '')")
        == (step["open"]["address"])
    )
    await expect(visit.page.locator("main > section:visible h1")).to_be_visible()


async def test_the_page_shows_every_step_and_its_commands(visit: Visit):
    await visit.open(view="tour")
    titles = visit.page.locator("#tour-steps summary h2")
    await expect(titles).to_have_count(len(STEPS))
    assert await titles.all_inner_texts() == [step["title"] for step in STEPS]
    shown = await visit.page.locator("#tour-steps pre").all_text_contents()
    assert shown == COMMANDS
    assert await visit.violations() == []
