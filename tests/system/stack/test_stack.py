"""A running stack: what it serves, what it shows, what it hides, and how it heals."""

import json
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from command_line import finished
from tandem_stack.processes import children
from up_process import Up
from waiting import eventually


def test_users_posted_through_the_load_balancer_are_shared_and_arrive(stack: Up):
    for number in range(10):
        status, user = stack.post_user(f"{number}@example.org", seed="shared")
        assert (status, user["seed"]) == (201, "shared")

    def all_synchronized():
        rows = stack.get("/api/v1/stats?seed=shared")[1]
        return rows if sum(row["synchronized"] for row in rows) == 10 else None

    rows = eventually(all_synchronized, "ten users are SYNCRONIZED")
    # In turns; but a question of nginx's, which goes with one command in twenty, takes a turn as well.
    assert {row["appId"] for row in rows} == {"instance-1", "instance-2"}
    assert min(row["total"] for row in rows) >= 3


def test_the_status_names_running_processes_and_the_owners_urls(stack: Up):
    status = stack.status()
    assert status["url"] == stack.url
    assert status["load_balancer"]["port"] == stack.port
    assert status["postgres"]["url"].startswith("postgresql://tandem_owner:")
    assert status["mongodb"]["url"].startswith("mongodb://tandem_owner:")
    names = {name: psutil.Process(pid).name() for name, pid in stack.pids().items()}
    assert (names["postgres"], names["mongodb"], names["load_balancer"]) == ("postgres", "mongod", "nginx")


def test_the_status_for_people_shows_no_password(stack: Up):
    shown = finished("status", "--data-dir", stack.data_dir)
    assert shown.returncode == 0
    assert "instance-2" in shown.stdout
    assert "tandem_owner" not in shown.stdout


def test_no_password_is_in_the_process_list_or_in_a_file_for_others(stack: Up):
    secrets = [value for value in json.loads((stack.data_dir / "memory.json").read_bytes()).values() if value]
    process_list = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    logs = "".join(log.read_text(errors="replace") for log in (stack.data_dir / "logs").iterdir())
    for secret in filter(lambda value: isinstance(value, str), secrets):
        assert secret not in process_list
        assert secret not in logs
    for name in ("memory.json", "status.json"):
        assert stat.S_IMODE((stack.data_dir / name).stat().st_mode) == 0o600
    assert not stat.S_IMODE(stack.data_dir.stat().st_mode) & 0o007


def test_everything_listens_on_one_local_address_only(stack: Up):
    status = stack.status()
    ports = [status["load_balancer"]["port"], *(instance["port"] for instance in status["instances"])]
    ports += [
        int(status[name]["url"].split("@127.0.0.1:")[1].split("/")[0]) for name in ("postgres", "mongodb")
    ]
    for port in ports:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        # 127.0.0.2 is this machine too: whoever listens on every address answers there.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


def test_a_second_up_on_the_same_folder_is_refused(stack: Up):
    refused = finished("up", "--data-dir", stack.data_dir)
    assert refused.returncode != 0
    assert "is running on" in refused.stderr
    assert "tandem down" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_that_is_taken_is_named_with_the_option_to_change_it(stack: Up, place: Path):
    refused = finished("up", "--data-dir", place / "other", "--port", str(stack.port))
    assert refused.returncode != 0
    assert f"Port {stack.port}" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", ["load_balancer", "instance-1", "mongodb", "postgres"])
def test_a_part_that_is_killed_comes_back_and_nothing_is_lost(stack: Up, name: str):
    status, user = stack.post_user("kept@example.org", seed=name)
    assert status == 201
    killed = stack.pids()[name]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: stack.pids()[name] not in {None, killed}, f"{name} runs again")
    eventually(lambda: answers(stack) == 200, "the stack is ready again")
    eventually(lambda: arrived(stack, user["id"]), "the user is in MongoDB")


def test_what_a_killed_server_leaves_behind_is_ended_even_if_it_was_stopped(stack: Up):
    pids = stack.pids()
    left_behind = [*children(pids["postgres"]), *children(pids["load_balancer"])]
    for pid in left_behind:
        os.kill(pid, signal.SIGSTOP)
    for name in ("postgres", "load_balancer"):
        os.kill(pids[name], signal.SIGKILL)
    eventually(lambda: not any(map(psutil.pid_exists, left_behind)), "all are gone")
    eventually(lambda: answers(stack) == 200, "the stack is ready again")


def answers(stack: Up) -> int | None:
    try:
        return stack.get("/health/ready")[0]
    except OSError:
        return None


def arrived(stack: Up, user_id: int) -> bool:
    try:
        return stack.get(f"/api/v1/user-query/{user_id}")[0] == 200
    except OSError:
        return False
