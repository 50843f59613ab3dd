"""A project that `tandem new` has made, installed by a real installer into an environment of its own."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from new_projects import PROGRAMS, make_project
from places import ROOT

UV = (PROGRAMS / "uv", "--offline", "--no-cache", "--quiet")
PLURALS = "from tandem.aggregates.installed import installed; print(*(each.plural for each in installed()))"


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def python(tmp_path) -> Path:
    """The Python of a new environment, which has all that this one has."""
    output_of(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    made = tmp_path / "venv" / "bin" / "python"
    site = output_of(made, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (Path(site) / "all_of_tandem.pth").write_text(line)
    return made


@pytest.mark.slow
def test_an_installed_project_is_found(python, tmp_path):
    project = make_project(tmp_path, "account", "accounts")
    assert output_of(python, "-c", PLURALS) == "\n"
    how = ("--no-deps", "--no-build-isolation", "--python", python)
    output_of(*UV, "pip", "install", *how, "--editable", project.folder)
    assert output_of(python, "-c", PLURALS) == "accounts\n"
    assert "prove" in output_of(python, "-m", "tandem", "--help")
    again = subprocess.run(
        [python, "-m", "tandem", "new", "account"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (again.returncode, "installed has the name 'account'" in again.stderr) == (1, True), again.stderr


@pytest.mark.slow
def test_a_wheel_of_a_project_has_its_queries_and_migrations(tmp_path):
    project = make_project(tmp_path, "account", "accounts")
    assert {"accounts/account.sql", "accounts/migrations/001_accounts.sql"} <= built(project.folder, tmp_path)


@pytest.mark.slow
def test_the_wheel_of_tandem_has_all_that_a_new_project_is_made_of(tmp_path):
    source = ROOT / "src"
    made_of = [path for path in (source / "tandem" / "scaffold").rglob("*") if path.is_file()]
    assert len(made_of) > 5
    assert {str(path.relative_to(source)) for path in made_of} <= built(ROOT, tmp_path)


def built(folder: Path, place: Path) -> set[str]:
    """The paths in the wheel of this project."""
    output_of(
        *UV,
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "-o",
        place / "dist",
        folder,
    )
    (wheel,) = (place / "dist").glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())
