"""Makes the tour of the page from docs/tour.md: `python scripts/tour.py` (`make docs` does it, too).

A step begins with `## 3. Its title`. Its first paragraph begins with how long it takes, and may say `Open:`
and a link to a place on the page. Then come paragraphs, commands in `sh` blocks, and what to take away.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STEPS = ROOT / "client" / "tour" / "steps.js"
HERE = "http://127.0.0.1:8080"

HEAD = """/** The steps of the tour. Made by `make docs`: change docs/tour.md, not this file. */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {number} minutes
 * @property {{ name: string, address: string } | null} open Where on the page it happens.
 * @property {{ text?: string, command?: string }[]} parts
 * @property {string} takeAway
 */

/** @type {Step[]} */
export const STEPS = """

_STEP = re.compile(r"^## \d+\. ([^\n]+)\n\n(.*?)^\*\*Take away:\*\* ([^\n]+)$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"```sh\n(.*?)\n```|(.+?)(?:\n\n|\Z)", re.DOTALL)
_MINUTES = re.compile(r"\*(\d+) minutes\.\* ")
_OPEN = re.compile(r"Open: \[([^\]]+)\]\(" + HERE + r"([^)]+)\)(?:, ([^.]+))?\.")


def steps(page: str) -> list[dict[str, Any]]:
    """Every step of the tour, as the page shows it."""
    return [_step(*match.groups()) for match in _STEP.finditer(page)]


def _step(title: str, body: str, take_away: str) -> dict[str, Any]:
    minutes, opened = _MINUTES.search(body), _OPEN.search(body)
    return {
        "title": title,
        "minutes": int(minutes[1]) if minutes else 0,
        "open": {"name": opened[1], "address": opened[2]} if opened else None,
        "parts": list(_parts(_MINUTES.sub("", body))),
        "takeAway": plain(take_away),
    }


def _parts(body: str) -> Iterator[dict[str, str]]:
    for command, text in _BLOCK.findall(body):
        if command:
            yield {"command": command}
        elif not text.startswith("!["):
            yield {"text": plain(_OPEN.sub(lambda match: _asked(match[3]), text))}


def _asked(what: str | None) -> str:
    """What to do at a place, as a sentence of its own."""
    return f"{what[0].upper()}{what[1:]}." if what else ""


def plain(text: str) -> str:
    """Markdown without its marks, as one line."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return " ".join(re.sub(r"[*`<>]", "", text).split())


def script(page: str) -> str:
    """The module of the page."""
    return HEAD + json.dumps(steps(page), indent=2, ensure_ascii=False) + ";\n"


def write() -> None:
    """Write the module."""
    STEPS.parent.mkdir(exist_ok=True)
    STEPS.write_text(script((ROOT / "docs" / "tour.md").read_text()))


if __name__ == "__main__":
    write()
