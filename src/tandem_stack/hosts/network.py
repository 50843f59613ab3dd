"""What a network of hosts is: the machine as several hosts, or several addresses of it."""

from collections.abc import Collection
from typing import Protocol

from tandem_stack.host import Host

# The last byte of a host's address: database hosts from here on, hosts of instances after them.
FIRST_DATABASE, FIRST_INSTANCE = 1, 11
# PostgreSQL, MongoDB, etcd and its peers, Patroni, and instances.
PORTS = (5432, 27017, 2379, 2380, 8008, 8080)


class Network(Protocol):
    """Makes hosts and their cables, and cuts them."""

    @property
    def everyone(self) -> str:
        """The addresses of all hosts, and of whoever asks them from outside, as a range: `10.87.0.0/16`."""

    def add(self, host: Host) -> None:
        """Make a host, which is connected with all others."""

    def cut(self, host: Host) -> None:
        """Pull a host's cable. Nothing on the host ends, but nobody reaches it any more, nor it anybody.

        Raises:
            StackError: this network has no cables; says what is needed. So do the other three.
        """

    def isolate(self, host: Host, others: Collection[Host]) -> None:
        """Let nothing pass between a host and some others, while everybody else reaches both sides."""

    def slow(self, host: Host, delay_ms: float, jitter_ms: float, loss_percent: float) -> None:
        """Let each packet on a host's cable take longer, one way; some get lost."""

    def mend(self, host: Host) -> None:
        """Undo all of this for a host."""

    def remove(self) -> None:
        """Take all hosts away, also those that an earlier run has left. Nothing may run on them any more."""
