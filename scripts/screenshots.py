"""Take the pictures of the page in `docs/images`: `python scripts/screenshots.py http://127.0.0.1:8080/`."""

import argparse
import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def take(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> Path:
    """Picture a finished run of 2,000 users at 1,280 pixels, and say where it went."""
    target = IMAGES / f"page-{scheme}.png"
    page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme=scheme)
    page.goto(url)
    page.fill("#count", "2000")
    page.click("#generate")
    page.wait_for_selector("#run[data-phase=done]", timeout=120_000)
    page.mouse.move(0, 0)
    page.screenshot(path=target, full_page=True)
    page.close()
    return target


def main() -> None:
    """Take both pictures of a running stack's page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the page is, such as http://127.0.0.1:8080/")
    url = parser.parse_args().url
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            print(take(browser, url, scheme))  # noqa: T201 - its only output
        browser.close()


if __name__ == "__main__":
    main()
