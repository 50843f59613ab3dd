"""Projects that `tandem new` has made, for processes that a test starts, as if they were installed."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bank import PAGE
from command_line import finished
from installed import installed
from page_files import files_of, write_files_of

LONGEST_SECONDS = 120
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A project in a folder, and the environment in which Python finds it installed."""

    folder: Path
    environment: dict[str, str]

    def change(self, path: str, old: str, new: str) -> None:
        """Replace a text that is there once."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{path}: {old}"
        (self.folder / path).write_text(text.replace(old, new))

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in the folder, as people do."""
        return subprocess.run(
            [PROGRAMS / program, *arguments],
            cwd=self.folder,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )


def make_project(place: Path, name: str, plural: str) -> Project:
    """Make one below this folder."""
    folder = place / plural
    made = finished("new", name, "--plural", plural, "--folder", folder)
    assert made.returncode == 0, made.stderr
    return Project(folder, installed(place / "installed", folder, plural, f"{plural}:{plural.upper()}"))


def make_bank(place: Path) -> Project:
    """Make the bank of docs/your-own-aggregate.md as its readers do, who begin with a new project."""
    bank = make_project(place, "account", "accounts")
    assert [path for path in files_of(PAGE) if not (bank.folder / path).exists()] == []
    write_files_of(PAGE, bank.folder)
    return bank
