"""How a stack ends: in order when it is asked to, completely whatever is killed, fit to be started again."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from command_line import finished
from tandem_stack.ports import free_port
from tandem_stack.processes import children
from up_process import StartStack, Up, is_alive
from waiting import eventually


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


def one_of_each(stack: Up) -> list[int]:
    """An instance, a session of PostgreSQL and a worker of nginx: what could stay behind."""
    pids = stack.pids()
    return [pids["instance-1"], children(pids["postgres"])[-1], children(pids["load_balancer"])[0]]


@pytest.mark.slow
def test_down_ends_every_process_and_the_next_up_finds_the_data_on_other_ports_too(
    place: Path, start_stack: StartStack
):
    stack = start_stack(place / "down")
    stack.until_it_says("Tandem is running")
    status, user = stack.post_user("a@example.org", seed="kept")
    assert status == 201
    processes = stack.all_processes()
    ended = finished("down", "--data-dir", stack.data_dir)
    assert (ended.returncode, ended.stdout) == (0, "The stack has ended.\n")
    assert all_gone(processes[1:])
    assert stack.process.wait(10) == 0

    ports = "--postgres-port", str(free_port()), "--mongodb-port", str(free_port())
    again = start_stack(place / "down", *ports)
    again.until_it_says("Tandem is running")
    assert ports[1] in again.status()["postgres"]["url"]
    eventually(lambda: again.get(f"/api/v1/user-query/{user['id']}")[0] == 200, "the user is there")


@pytest.mark.slow
def test_two_stacks_run_side_by_side_and_ctrl_c_ends_one_alone(place: Path, start_stack: StartStack):
    first, second = start_stack(place / "first"), start_stack(place / "second")
    for stack in (first, second):
        stack.until_it_says("Tandem is running")
    processes = first.all_processes()
    assert first.end(signal.SIGINT) == 0
    assert all_gone(processes)
    assert second.get("/health/ready")[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["tandem up itself", "its supervisor"])
def test_nothing_stays_behind_when_half_of_up_is_killed_even_what_was_stopped(
    place: Path, start_stack: StartStack, victim: str
):
    stack = start_stack(place / victim.replace(" ", "-"))
    stack.until_it_says("Tandem is running")
    watchdog, supervisor, *others = stack.all_processes()
    for pid in one_of_each(stack):
        os.kill(pid, signal.SIGSTOP)
    os.kill(watchdog if victim == "tandem up itself" else supervisor, signal.SIGKILL)
    eventually(lambda: all_gone([supervisor, *others]), "every process has ended")
    assert stack.process.wait(10) != 0
    assert finished("status", "--data-dir", stack.data_dir).returncode == 1


@pytest.mark.slow
def test_a_second_signal_hurries(place: Path, start_stack: StartStack):
    stack = start_stack(place / "hurry")
    stack.until_it_says("Tandem is running")
    processes = stack.all_processes()
    stack.process.send_signal(signal.SIGINT)
    stack.until_it_says("stopping")
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(30) == 0
    assert all_gone(processes)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["PostgreSQL: initialising", "MongoDB: starting", "instance-1: starting"])
def test_an_up_that_is_killed_while_it_prepares_can_be_started_again(
    place: Path, start_stack: StartStack, moment: str
):
    data_dir = place / moment.replace(": ", "-")
    cut_short = start_stack(data_dir)
    cut_short.until_it_says(moment)
    processes = cut_short.all_processes()
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: all_gone(processes[1:]), "every process has ended")
    cut_short.process.wait(10)
    start_stack(data_dir).until_it_says("Tandem is running")


@pytest.mark.slow
def test_a_stack_runs_on_when_nobody_listens_to_it_any_more(place: Path, start_stack: StartStack):
    stack = start_stack(place / "unheard")
    stack.until_it_says("PostgreSQL: ")
    stack.process.stdout.close()
    eventually(lambda: all(stack.pids().values()), "every service runs")
    eventually(lambda: stack.get("/health/ready")[0] == 200, "the stack is ready")
    stack.process.terminate()
    assert stack.process.wait(30) == 0


def test_down_and_status_say_that_nothing_runs(tmp_path: Path):
    assert "No stack is running" in finished("down", "--data-dir", tmp_path).stdout
    status = finished("status", "--data-dir", tmp_path)
    assert (status.returncode, "No stack is running" in status.stdout) == (1, True)
    as_json = finished("status", "--data-dir", tmp_path / "none", "--json")
    assert as_json.returncode == 1
    assert '"url": null' in as_json.stdout
    assert list(tmp_path.iterdir()) == []
