"""Take the pictures in `docs/images` from a stack of its own: `python scripts/screenshots.py`."""

import argparse
import html
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
TANDEM = (sys.executable, "-m", "tandem")
URL = "http://127.0.0.1:8080/"

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

# The animated picture: so many frames, each shown for so long.
FRAMES = 44
FRAME_MS = 500
STRUCK_AT_FRAME = 8
# Room for what is said of deaths and takeovers while they happen.
ROOM_BELOW = 260

TERMINAL = """<!doctype html><style>
body {{ margin: 0; }}
#window {{ width: 760px; padding: 14px 22px 20px; background: #161e26; color: #e7edf3; border-radius: 12px;
  font: 14px/1.55 "DejaVu Sans Mono", monospace; }}
#window::before {{ content: "\\25cf \\25cf \\25cf"; color: #64727f; letter-spacing: 3px; }}
pre {{ margin: 8px 0 0; font: inherit; white-space: pre-wrap; }}
b {{ color: #3fcf97; }}
</style><div id="window"><pre><b>$</b> ./run.sh
{lines}</pre></div>"""


@contextmanager
def running_stack(place: Path) -> Iterator[list[str]]:
    """A stack of three instances with its data in `place`. What it printed until it was ready."""
    up = subprocess.Popen([*TANDEM, "up"], cwd=place, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    try:
        for line in up.stdout or ():
            lines.append(line)
            if "tandem down" in line:
                break
        else:
            sys.exit(f"The stack did not start:\n{''.join(lines)}")
        yield [line.replace(str(place), "~/tandem") for line in lines]
    finally:
        up.terminate()
        up.communicate()


def picture_terminal(browser: Browser, lines: list[str]) -> None:
    """The start of the stack, as it was printed."""
    page = browser.new_page(device_scale_factor=2)
    page.set_content(TERMINAL.format(lines=html.escape("".join(lines)).rstrip()))
    page.locator("#window").screenshot(path=IMAGES / "start.png", omit_background=True)
    page.close()


def picture_proof(place: Path) -> None:
    """The receipt of a proof with all faults."""
    subprocess.check_call([*TANDEM, "prove", "--fault", "all", "--receipt", IMAGES / "prove.svg"], cwd=place)


def generate(page: Page, users: int) -> None:
    """Open the page, and start a run."""
    page.goto(URL)
    page.wait_for_selector("#connection[data-state=live]")
    page.fill("#count", str(users))
    page.click("#generate")
    page.mouse.move(0, 0)


def picture_page(browser: Browser, scheme: Scheme) -> None:
    """A finished run on a desk and on a phone, and one of its users in both forms."""
    page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme=scheme)
    generate(page, 2_000)
    page.wait_for_selector("#run[data-phase=done]", timeout=120_000)
    page.wait_for_selector("text=both stores equal", timeout=60_000)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=IMAGES / f"page-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#watch > section").first.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#watch').scrollIntoView({behavior: 'instant'})")
    page.screenshot(path=IMAGES / f"phone-{scheme}.png")
    page.set_viewport_size({"width": 1280, "height": 960})
    page.click("#run-users")
    page.click("#found-rows a")
    page.wait_for_selector("#story li")
    page.screenshot(path=IMAGES / f"user-{scheme}.png")
    page.close()


def picture_race(browser: Browser) -> None:
    """A race with the plain way, as it ended."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(f"{URL}?view=race")
    page.click("#race-start")
    page.wait_for_selector("#race-shown[data-state=done]", timeout=600_000)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.locator("#race-shown").screenshot(path=IMAGES / f"race-{scheme}.png")
    page.close()


def animate(browser: Browser) -> None:
    """What the README says to try: users from the server, MongoDB frozen, an instance killed meanwhile."""
    page = browser.new_page(viewport={"width": 1280, "height": 1900})
    page.goto(URL)
    page.wait_for_selector("#connection[data-state=live]")
    page.check("input[name=sender][value=server]")
    page.click("text=Speed")
    page.fill("#rate", "500")
    page.fill("#count", "6000")
    page.click("#generate")
    page.wait_for_selector("#run[data-phase=sending]")
    box: Any = page.locator("#watch").bounding_box()
    frames = []
    for number in range(FRAMES):
        frames.append(_frame(page, {**box, "height": box["height"] + ROOM_BELOW}))
        page.wait_for_timeout(FRAME_MS / 2)
        if number == STRUCK_AT_FRAME:
            page.click("#presets button >> nth=0")
    first, *others = frames
    first.save(
        IMAGES / "run.webp",
        save_all=True,
        append_images=others,
        duration=FRAME_MS,
        quality=60,
        method=6,
        loop=0,
    )
    page.close()


def _frame(page: Page, box: Any) -> Image.Image:
    return Image.open(BytesIO(page.screenshot(clip=box))).convert("RGB")


def main() -> None:
    """Take all pictures, or those that are named."""
    takers = {
        "terminal": lambda browser, _, lines: picture_terminal(browser, lines),
        "page": lambda browser, *_: [picture_page(browser, scheme) for scheme in SCHEMES],
        "proof": lambda _, place, __: picture_proof(place),
        "race": lambda browser, *_: picture_race(browser),
        "animation": lambda browser, *_: animate(browser),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", metavar="|".join(takers), help="which; all if none is named")
    names = parser.parse_args().pictures or list(takers)
    place = Path(tempfile.mkdtemp(prefix="tandem-pictures-"))
    with running_stack(place) as lines, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name in names:
            takers[name](browser, place, lines)
        browser.close()
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
