"""`tandem up` as people run it: a process of its own, watched from outside."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest

from command_line import TANDEM, finished
from tandem_stack.ports import free_port, free_ports_in_a_row
from tandem_stack.processes import children
from waiting import PATIENCE_SECONDS


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Up:
    """A running `tandem up` with two instances on free ports, or on several hosts (`--hosts`)."""

    def __init__(self, data_dir: Path, *options: str, prefix: tuple[str, ...] = (), **process: Any) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        plain = ["--instances", "2", "--instance-port", str(free_ports_in_a_row(3))]
        command = [*prefix, *TANDEM, "up", "--port", str(self.port), *([] if "--hosts" in options else plain)]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **process,
        )
        self.said: list[str] = []

    def until_it_says(self, words: str) -> None:
        """Read what it prints until a line has these words."""
        for line in self.process.stdout:
            self.said.append(line)
            if words in line:
                return
        pytest.fail(f"`tandem up` ended without saying {words!r}:\n{''.join(self.said)}")

    def status(self) -> dict[str, Any]:
        return json.loads(finished("status", "--data-dir", self.data_dir, "--json").stdout)

    def pids(self) -> dict[str, int | None]:
        """The process id of each part by its name."""
        status = self.status()
        parts = {name: status[name]["pid"] for name in ("postgres", "mongodb", "load_balancer")}
        return parts | {instance["app_id"]: instance["pid"] for instance in status["instances"]}

    def all_processes(self) -> list[int]:
        """Every process of the stack: supervisor, servers, sessions, workers."""
        return [self.process.pid, *children(self.process.pid, recursive=True)]

    def get(self, path: str) -> tuple[int, Any]:
        return self._answer(urllib.request.Request(self.url + path))

    def post_user(self, email: str, seed: str) -> tuple[int, Any]:
        body = json.dumps({"email": email}).encode()
        path = f"{self.url}/api/v1/user-command?seed={seed}"
        return self._answer(urllib.request.Request(path, body, {"Content-Type": "application/json"}))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait until it has; returns its exit code."""
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=PATIENCE_SECONDS)[0].splitlines()
        return self.process.returncode

    def _answer(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@contextmanager
def run_up(data_dir: Path, *options: str, **process: Any) -> Iterator[Up]:
    """A stack that runs, for as long as the block takes."""
    running = Up(data_dir, *options, **process)
    try:
        running.until_it_says("Tandem is running")
        yield running
    finally:
        running.end()


class StartStack(Protocol):
    def __call__(self, data_dir: Path, *options: str, prefix: tuple[str, ...] = (), **process: Any) -> Up: ...


requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
