"""Projects that `tandem new` has made, for processes that a test starts, as if they were installed."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bank import files_of_the_page, write_the_page
from command_line import finished
from installed import installed

LONGEST_SECONDS = 120
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A project in a folder, and the environment in which Python finds it installed."""

    folder: Path
    environment: dict[str, str]

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
    assert [path for path in files_of_the_page() if not (bank.folder / path).exists()] == []
    write_the_page(bank.folder)
    return bank
