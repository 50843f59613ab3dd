"""Files that a page tells its reader to write: a path in a line of its own, then a block with the text."""

import re
from pathlib import Path

from places import ROOT

_FILE = re.compile(
    r"^`(?P<path>[\w./]+)`:\n\n```(?:python|sql)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def files_of(page: str) -> dict[str, str]:
    """Those of this page of docs, by path."""
    return {match["path"]: match["text"] for match in _FILE.finditer((ROOT / "docs" / page).read_text())}


def write_files_of(page: str, folder: Path) -> None:
    """Write all of them into a folder."""
    for path, text in files_of(page).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
