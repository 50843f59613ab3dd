"""Reading the project's Markdown files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

# What tools and runs leave behind; nothing of it belongs to the repository.
NOT_OURS = {".git", ".venv", ".tandem", "node_modules", "build", "dist", "__pycache__"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text and the line that the text begins on."""

    language: str
    text: str
    line: int


def fences(text: str) -> list[Fence]:
    """Every fenced block, in order."""
    return [
        Fence(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in _FENCE.finditer(text)
    ]


def without_fences(text: str) -> str:
    """The prose alone."""
    return _FENCE.sub("", text)


def files_below(folder: Path) -> Iterator[Path]:
    """The repository's files, without a version control system's help: a copy without one is tested too."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path.name.endswith("_cache") or path.name == ".hypothesis":
            continue
        if path.is_dir():
            yield from files_below(path)
        else:
            yield path


def pages() -> list[Path]:
    """Every Markdown file of the repository."""
    return [path for path in files_below(ROOT) if path.suffix == ".md"]


def prose() -> str:
    """Every page, as one text."""
    return "\n".join(page.read_text() for page in pages())
