"""What `tandem up` says when it cannot go on: one sentence with what to do, no traceback."""

import stat
import subprocess
from pathlib import Path

import pytest

from command_line import finished
from tandem_stack import own_servers
from tandem_stack.data_folder import DataFolder, open_data_folder
from tandem_stack.errors import StackError
from tandem_stack.mongodb import MongoDB, find_mongod
from tandem_stack.ports import free_port
from tandem_stack.processes import Process, Program
from tandem_stack.programs import Wheel, require_wheel
from up_process import requires_root


def up(data_dir: Path, *options: str) -> str:
    """Run an `up` that must refuse; returns its one sentence."""
    ports = ("--port", str(free_port()), "--instance-port", str(free_port()))
    refused = finished("up", "--data-dir", data_dir, "--instances", "1", *ports, *options)
    assert refused.returncode != 0
    lines = refused.stderr.strip().splitlines()
    assert len(lines) == 1, refused.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert "not Tandem's" in up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file" / "data") in up(tmp_path / "file" / "data")


def test_one_port_for_two_purposes_is_refused(place: Path):
    port = str(free_port())
    said = up(place / "twice", "--postgres-port", port, "--mongodb-port", port)
    assert "asked for twice, with --postgres-port and --mongodb-port" in said


def test_ports_that_do_not_exist_are_refused(place: Path):
    assert "There is no port 65536" in up(place / "high", "--instance-port", "65535", "--instances", "2")


async def test_an_unreachable_postgres_is_named(place: Path):
    url = f"postgresql://me:secret-word@127.0.0.1:{free_port()}/tandem"
    said = up(place / "own", "--postgres-url", url, "--mongodb-url", "mongodb://127.0.0.1:1/")
    assert "PostgreSQL of --postgres-url cannot be used" in said
    assert "secret-word" not in said


async def test_a_wrong_password_for_mongodb_is_named(servers):
    url = servers.mongodb_owner_url.replace(servers.mongodb.memory.mongodb_owner_password, "wrong")
    with pytest.raises(StackError, match=r"MongoDB of --mongodb-url cannot be used: .*Authentication failed"):
        await own_servers.check_mongodb(url)


@pytest.mark.parametrize("url", ["nonsense", "mongodb://", "postgresql://127.0.0.1:port/x"])
async def test_a_url_that_is_none_is_named(url: str):
    for check in (own_servers.check_postgres, own_servers.check_mongodb):
        with pytest.raises(StackError, match="cannot be used"):
            await check(url)


async def test_servers_that_are_new_enough_pass(servers):
    await own_servers.check_postgres(servers.postgres_owner_url)
    await own_servers.check_mongodb(servers.mongodb_owner_url)


async def test_servers_that_are_too_old_are_refused(servers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(own_servers, "OLDEST_POSTGRES", 99)
    monkeypatch.setattr(own_servers, "OLDEST_MONGODB", 99)
    with pytest.raises(StackError, match="is version 18; 99 or newer is needed"):
        await own_servers.check_postgres(servers.postgres_owner_url)
    with pytest.raises(StackError, match=r"is version 6\.0\.5; 99 or newer is needed"):
        await own_servers.check_mongodb(servers.mongodb_owner_url)


async def test_a_mongodb_without_a_replica_set_is_refused(place: Path):
    folder = open_data_folder(place / "single")
    server = MongoDB(folder, folder.remember(), free_port())
    await server.initialise()
    files = folder.folder_for_server("mongodb")
    command = [find_mongod(folder), "--port", str(server.port), "--dbpath", files / "data", "--nounixsocket"]
    process = Process.start(
        Program(command=command, folder=files, log=folder.log("mongodb"), user=folder.user)
    )
    try:
        with pytest.raises(StackError, match="belongs to no replica set"):
            await own_servers.check_mongodb(f"mongodb://127.0.0.1:{server.port}/?directConnection=true")
    finally:
        await process.kill()


def test_servers_of_ones_own_serve_the_stack_and_none_is_started(place, start_stack, databases):
    stack = start_stack(
        place / "own-servers",
        *("--postgres-url", databases.postgres_owner_url, "--mongodb-url", databases.mongodb_owner_url),
    )
    stack.until_it_says("Tandem is running")
    status = stack.status()
    assert status["postgres"] == {"url": databases.postgres_owner_url, "pid": None}
    assert status["mongodb"] == {"url": databases.mongodb_owner_url, "pid": None}
    assert stack.post_user("a@example.org", seed="own")[0] == 201


def test_a_missing_package_is_named():
    with pytest.raises(StackError, match=r"pip install 'tandem-cqrs\[local\]'"):
        require_wheel("no_such_package")


def test_a_program_without_a_run_bit_is_copied_and_the_wheel_stays_as_it_is(tmp_path: Path):
    wheel = Wheel(tmp_path / "wheel")
    wheel.folder.mkdir()
    program = wheel.folder / "server"
    program.write_text("#!/bin/sh\necho started")
    program.chmod(0o600)
    copy = wheel.program("server", None, tmp_path / "copies")
    assert subprocess.run([copy], capture_output=True, text=True, check=True).stdout == "started\n"
    assert stat.S_IMODE(program.stat().st_mode) == 0o600
    first = copy.stat()
    assert wheel.program("server", None, tmp_path / "copies").stat() == first
    program.write_text("#!/bin/sh\necho upgraded")
    program.chmod(0o600)
    assert wheel.program("server", None, tmp_path / "copies").read_text() == program.read_text()


def test_a_mongod_that_misses_libcurl_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = tmp_path / "fiftyone" / "db" / "bin"
    wheel.mkdir(parents=True)
    (tmp_path / "fiftyone" / "__init__.py").touch()
    mongod = wheel / "mongod"
    mongod.write_text("#!/bin/sh\necho 'libcurl.so.4: cannot open shared object file' >&2\nexit 127\n")
    mongod.chmod(0o755)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    folder = DataFolder(tmp_path, tmp_path, None)
    with pytest.raises(StackError, match="apt-get install libcurl4"):
        find_mongod(folder)


@requires_root
def test_a_full_disk_is_named_before_anything_starts(place: Path):
    disk = place / "small-disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100m,mode=755", "none", disk], check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        assert "MB are free on the disk" in up(disk / "data")
    finally:
        subprocess.run(["umount", disk], check=True)
