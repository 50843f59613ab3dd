"""What `tandem up` and `tandem status` show: on a terminal, and when a part stands still."""

import os
import re
import signal

from command_line import finished
from tandem_stack.ports import free_port, free_ports_in_a_row
from terminal import OnTerminal
from up_process import Up
from waiting import eventually


def rows(stack: Up) -> dict[str, list[str]]:
    """The lines of `tandem status` by the part that they are about."""
    shown = finished("status", "--data-dir", stack.data_dir).stdout
    return {line.split()[0]: line.split() for line in shown.splitlines() if line}


def test_a_terminal_shows_how_long_each_part_took_and_commands_to_paste(new_place):
    place = new_place()
    ports = ("--port", free_port(), "--instance-port", free_ports_in_a_row(1), "--instances", 1)
    up = OnTerminal("up", "--data-dir", place / "stack", *ports)
    shown = ""
    try:
        for some in up.shown():
            shown += some
            if "tandem down" in shown:
                up.process.send_signal(signal.SIGTERM)
    finally:
        up.process.wait()
    assert re.search(r"✓\s+PostgreSQL\s+ready\s+\d+\.\d s", shown)
    assert re.search(r"Tandem is running, after \d+\.\d s\.", shown)
    for command in ("status", "prove --fault all", "down"):
        assert f"{command} --data-dir {place / 'stack'}\n" in shown


def test_each_line_elsewhere_has_its_time(stack: Up):
    lines = [line for line in stack.said if ": ready" in line]
    assert lines
    assert all(re.match(r"\d\d:\d\d:\d\d  \S+: ready", line) for line in lines)


def test_the_status_has_ports_health_restarts_and_what_is_pending(stack: Up):
    before = stack.status()
    os.kill(stack.pids()["instance-1"], signal.SIGKILL)
    eventually(lambda: rows(stack).get("instance-1", [""])[-1] == "ready", "instance-1 is ready again")
    found = stack.status()
    parts = {part["name"]: part for part in found["health"]["parts"]}
    assert parts["instance-1"]["restarts"] == before["restarts"]["instance-1"] + 1
    assert parts["instance-1"]["up_seconds"] < parts["instance-2"]["up_seconds"]
    assert parts["nginx"]["port"] == stack.port
    assert {part["health"] for part in parts.values()} == {"ready"}
    assert found["health"]["backlog"] == [{"kind": "user", "pending": 0, "dead_letters": 0}]
    assert rows(stack)["instance-2"][1:3] == [str(parts["instance-2"][name]) for name in ("port", "pid")]


def test_a_database_that_stands_still_is_told_and_when_it_is_back(stack: Up):
    for name, title in (("mongodb", "MongoDB"), ("postgres", "PostgreSQL")):
        pid = stack.pids()[name]
        os.kill(pid, signal.SIGSTOP)
        try:
            stack.until_it_says(f"{title}: does not answer")
            shown = rows(stack)
            assert shown[title][-3:] == ["does", "not", "answer"]
            assert ("What" in shown) == (name == "postgres")
            if name == "mongodb":
                assert stack.post_user("waits@example.org", seed="frozen")[0] == 201
                assert shown["instance-2"][-1] == "ready"
                assert stack.status()["health"]["backlog"][0]["pending"] == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        stack.until_it_says(f"{title}: answers again, after ")
    eventually(
        lambda: (stack.status()["health"]["backlog"] or [{}])[0].get("pending") == 0, "the user has arrived"
    )
