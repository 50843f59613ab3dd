"""What runs now. The supervisor writes it after each change; `tandem status` and the lab read it."""

from pathlib import Path

import msgspec

from tandem_stack.data_folder import is_held, write_private
from tandem_stack.ports import LOCAL

_FILE = "status.json"


class InstanceStatus(msgspec.Struct, frozen=True):
    """An instance; `pid` is None while it is down."""

    app_id: str
    port: int
    pid: int | None
    address: str = LOCAL


class ServerStatus(msgspec.Struct, frozen=True):
    """A database server, by its owner's URL. `pid` is None if it is down or not started by the stack."""

    url: str | None
    pid: int | None


class LoadBalancerStatus(msgspec.Struct, frozen=True):
    """The load balancer; `pid` is None while it is down."""

    port: int | None
    pid: int | None


class BesideStatus(msgspec.Struct, frozen=True):
    """A program beside the stack (`beside`); `pid` is None while it is down."""

    name: str
    port: int
    pid: int | None


class HostStatus(msgspec.Struct, frozen=True):
    """A host of a stack of several, and what runs there.

    `namespace`: its network namespace, if it has one. `is_dead`: it was killed on purpose, and is not started
    again. `pids`: by `etcd`, `patroni`, `postgres`, `mongodb` or `instance`; None while that is down.
    """

    name: str
    address: str
    namespace: str | None
    is_dead: bool
    pids: dict[str, int | None]


class CellStatus(msgspec.Struct, frozen=True):
    """A cell of a stack of several hosts. The owner's URLs name all its database hosts."""

    number: int
    draining: bool
    postgres_url: str
    mongodb_url: str
    hosts: tuple[HostStatus, ...]


class Status(msgspec.Struct, frozen=True):
    """The whole stack. The owner's URLs contain passwords.

    A stack of several hosts has `cells`. If it is one cell, its databases are also `postgres` and `mongodb`.
    """

    url: str | None = None
    instances: tuple[InstanceStatus, ...] = ()
    postgres: ServerStatus = ServerStatus(None, None)
    mongodb: ServerStatus = ServerStatus(None, None)
    load_balancer: LoadBalancerStatus = LoadBalancerStatus(None, None)
    cells: tuple[CellStatus, ...] = ()
    beside: tuple[BesideStatus, ...] = ()


def write_status(data_dir: Path, status: Status) -> None:
    """Publish the status in a file that only this account can read."""
    write_private(data_dir / _FILE, msgspec.json.encode(status))


def remove_status(data_dir: Path) -> None:
    """Remove the status, because nothing runs any more."""
    (data_dir / _FILE).unlink(missing_ok=True)


def read_status(data_dir: Path) -> Status | None:
    """The status of the stack that runs on this data folder, or None if none does.

    Raises:
        PermissionError: the stack belongs to another account.
    """
    if not is_held(data_dir):
        return None
    try:
        return msgspec.json.decode((data_dir / _FILE).read_bytes(), type=Status)
    except FileNotFoundError:
        return Status()  # it has just started
