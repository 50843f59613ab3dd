"""Makes the hosts of cells: their addresses, namespaces where that is allowed, and control groups."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import psutil

from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.hosts.cell import Cell, Report
from tandem_stack.hosts.desired import Desired, DesiredCell
from tandem_stack.hosts.loopback import Loopback
from tandem_stack.hosts.namespaces import Namespaces
from tandem_stack.hosts.network import FIRST_DATABASE, FIRST_INSTANCE, Network
from tandem_stack.hosts.quota import Quota, remove_quotas
from tandem_stack.processes import end_leftovers


class HostMaker:
    """Makes hosts on one network, whose first two bytes a data folder keeps for good."""

    def __init__(self, folder: DataFolder, report: Report) -> None:
        self._folder = folder
        self._report = report
        self._word = word_of(folder.path)
        self.memory = folder.remember()
        self.network: Network = Loopback()

    def make_network(self) -> None:
        """Make the network: of namespaces for root, where the machine allows them, otherwise of addresses.

        Raises:
            StackError: the data folder has the other kind, or somebody else uses its addresses.
        """
        prefix = self.memory.network
        if os.geteuid() == 0 and not prefix.startswith("127."):
            try:
                self.network = self._make_namespaces(prefix or f"10.{_unused_byte('10')}")
            except StackError as error:
                if prefix:
                    raise
                self._report("network", f"hosts are addresses of this machine, without cables: {error}")
        if isinstance(self.network, Loopback):
            if prefix.startswith("10."):
                msg = f"The hosts in {self._folder.path} were made by root. Start them as root again."
                raise StackError(msg)
            self.memory.network = prefix or f"127.{_unused_byte('127')}"
        self._folder.keep(self.memory)

    def make_cell(self, wanted: DesiredCell, desired: Desired) -> Cell:
        """Make the hosts of a cell.

        Raises:
            StackError: it cannot be done; says why.
        """
        enter_quota = self._quota(wanted.number, desired.cpu_per_cell)
        databases = [(f"db{number + 1}", FIRST_DATABASE + number) for number in range(wanted.database_hosts)]
        instances = [(f"i{number + 1}", FIRST_INSTANCE + number) for number in range(wanted.instance_hosts)]

        def make(name: str, number: int) -> Host:
            return self._make_host(f"c{wanted.number}-{name}", wanted.number, number, enter_quota)

        return Cell(
            folder=self._folder,
            memory=self.memory,
            number=wanted.number,
            database_hosts=[make(*each) for each in databases],
            instance_hosts=[make(*each) for each in instances],
            everyone=self.network.everyone,
            synchronous=desired.synchronous,
        )

    def _make_namespaces(self, prefix: str) -> Namespaces:
        if prefix.split(".")[1] in _used_bytes("10"):
            msg = (
                f"Something on this machine uses addresses {prefix}.*, which are those of the hosts in "
                f"{self._folder.path}. End it, or use another --data-dir."
            )
            raise StackError(msg)
        network = Namespaces(self._word, prefix)
        try:
            network.make_switch()
        except StackError:
            network.remove()
            raise
        self.memory.network = prefix
        return network

    def _make_host(self, name: str, cell: int, number: int, enter_quota: Callable[[], None] | None) -> Host:
        address = f"{self.memory.network}.{cell}.{number}"
        steps = [enter_quota] if enter_quota else []
        namespace = None
        if isinstance(self.network, Namespaces):
            namespace = self.network.name_of(name)
            steps.append(self.network.enter(namespace))

        def enter() -> None:
            for step in steps:
                step()

        host = Host(name, address, namespace, enter if steps else None)
        self.network.add(host)
        return host

    def _quota(self, cell: int, cores: float | None) -> Callable[[], None] | None:
        """What brings a process into the control group of a cell; None without one."""
        if cores is None:
            return None
        quota = Quota(f"{self._word}-c{cell}", cores)
        try:
            quota.make()
        except StackError as error:
            self._report(f"cell {cell}", f"uses all cores: {error}")
            return None
        return quota.enter()


def remove_leftovers(folder: DataFolder) -> None:
    """Take away what an earlier run on this data folder has left: processes, namespaces, control groups."""
    end_leftovers(folder.servers)
    if os.geteuid() == 0:
        Namespaces(word_of(folder.path), "").remove()
        remove_quotas(word_of(folder.path))


def word_of(data_dir: Path) -> str:
    """What begins all names that this data folder gives, in 10 letters."""
    return f"td{hashlib.sha256(bytes(data_dir)).hexdigest()[:8]}"


def _used_bytes(first: str) -> set[str]:
    """The second bytes of this machine's addresses that begin with `first`."""
    addresses = (each.address.split(".") for every in psutil.net_if_addrs().values() for each in every)
    return {parts[1] for parts in addresses if len(parts) == 4 and parts[0] == first}


def _unused_byte(first: str) -> str:
    return random.choice([str(byte) for byte in range(2, 255) if str(byte) not in _used_bytes(first)])  # noqa: S311
