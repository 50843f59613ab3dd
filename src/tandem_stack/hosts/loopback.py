"""Hosts without root: each is an address of the loopback interface, of which Linux has 16 million."""

from collections.abc import Collection
from dataclasses import dataclass

from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.hosts.network import PORTS
from tandem_stack.ports import is_free


@dataclass(frozen=True)
class Loopback:
    """A network of addresses alone. Its hosts can be killed, but there are no cables."""

    everyone: str = "127.0.0.0/8"

    def add(self, host: Host) -> None:
        """Nothing is to be made.

        Raises:
            StackError: another program uses a port that is the host's.
        """
        for port in PORTS:
            if not is_free(port, host.address):
                msg = (
                    f"Port {port} of the address {host.address}, that of {host.name}, is in use, perhaps "
                    "by a program that listens on all addresses. End it, or start the stack as root."
                )
                raise StackError(msg)

    def cut(self, host: Host) -> None:
        """There is no cable.

        Raises:
            StackError: says so.
        """
        raise _no_cable(host)

    def isolate(self, host: Host, others: Collection[Host]) -> None:
        """There is no cable.

        Raises:
            StackError: says so.
        """
        raise _no_cable(host)

    def slow(self, host: Host, delay_ms: float, jitter_ms: float, loss_percent: float) -> None:
        """There is no cable.

        Raises:
            StackError: says so.
        """
        raise _no_cable(host)

    def mend(self, host: Host) -> None:
        """Nothing can be broken."""

    def remove(self) -> None:
        """Nothing was made."""


def _no_cable(host: Host) -> StackError:
    return StackError(f"{host.name} has no cable of its own. Start the stack as root, so that it has one.")
