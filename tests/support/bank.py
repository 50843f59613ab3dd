"""The bank accounts of docs/your-own-aggregate.md, as files and as a package to import."""

import importlib
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from places import ROOT

PAGE = ROOT / "docs" / "your-own-aggregate.md"
_FILE = re.compile(
    r"^`(?P<path>[\w./]+)`:\n\n```(?:python|sql)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def files_of_the_page() -> dict[str, str]:
    """What the page tells to write, by path."""
    return {match["path"]: match["text"] for match in _FILE.finditer(PAGE.read_text())}


def write_the_page(folder: Path) -> None:
    """Write all of it into a folder."""
    for path, text in files_of_the_page().items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@cache
def accounts() -> Any:
    """The package `accounts`, which this process keeps from then on."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-bank-"))
    write_the_page(folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("accounts")
