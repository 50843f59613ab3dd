"""Where a program runs: this machine itself, or one of several hosts that are made of it."""

from collections.abc import Callable
from dataclasses import dataclass

from tandem_stack.ports import LOCAL


@dataclass(frozen=True)
class Host:
    """A host and its address.

    `namespace`: its network namespace, if it has one. `enter`: brings a new process into the host, before
    that becomes the program.
    """

    name: str
    address: str
    namespace: str | None = None
    enter: Callable[[], None] | None = None

    def title(self, of: str) -> str:
        """What something that runs here is called for people."""
        return f"{self.name} {of}".lstrip()


THIS_MACHINE = Host("", LOCAL)
