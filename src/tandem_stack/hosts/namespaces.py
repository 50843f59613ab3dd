"""Hosts as network namespaces, for root: each has a cable to a switch, and so has the machine itself.

The switch is a bridge in a namespace of its own. A host's end of its cable is called eth0, the other one by
the host's name. All names begin with the same word, which stands for the data folder, so that a later run
finds what an earlier one has left.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.processes import plain_environment
from tandem_stack.programs import find_program

CLONE_NEWNET = 0x40000000
#: The frames of all cables. Few large ones cost less where a program hands on each (`slow_cable`).
MTU = 9000
# A cable that nobody has: what is sent to this address is lost without a word, as on a cable that was cut.
NOBODY = "02:00:00:00:00:00"
_PLACE = Path("/run/netns")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Namespaces:
    """A network of namespaces. `word` begins all names, in at most 10 letters; `prefix`: such as `10.87`."""

    word: str
    prefix: str
    _cut_off: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _slow: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def everyone(self) -> str:
        """The addresses of all hosts and of the machine."""
        return f"{self.prefix}.0.0/16"

    @property
    def switch(self) -> str:
        """The namespace of the switch."""
        return f"{self.word}-switch"

    def make_switch(self) -> None:
        """Make the switch, and connect the machine with it.

        Raises:
            StackError: this machine does not allow it; says why.
        """
        self._ip(f"netns add {self.switch}")
        self._ip(
            f"link add br0 mtu {MTU} type bridge",
            "link set br0 up",
            namespace=self.switch,
        )
        machine = f"{self.word}-0"
        self._ip(
            f"link add {machine} mtu {MTU} type veth peer name machine mtu {MTU} netns {self.switch}",
            f"addr add {self.prefix}.255.254/16 dev {machine}",
            f"link set {machine} up",
        )
        self._ip("link set machine master br0", "link set machine up", namespace=self.switch)

    def name_of(self, host: str) -> str:
        """The name of the namespace for a host of that name."""
        return f"{self.word}-{host}"

    def enter(self, name: str) -> Callable[[], None]:
        """A function that brings the process which calls it into the namespace of that name."""
        file = _PLACE / name

        def enter() -> None:
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            if _libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(file))
            os.close(descriptor)

        return enter

    def add(self, host: Host) -> None:
        """Make a host, with a cable to the switch."""
        name, peer = self.name_of(host.name), f"{host.name} mtu {MTU} netns {self.switch}"
        self._ip(f"netns add {name}", f"link add eth0 mtu {MTU} netns {name} type veth peer name {peer}")
        self._ip(f"link set {host.name} master br0", f"link set {host.name} up", namespace=self.switch)
        self._ip("link set lo up", f"addr add {host.address}/16 dev eth0", "link set eth0 up", namespace=name)

    def cut(self, host: Host) -> None:
        """Pull the cable out of the switch: the host's own end is down, too."""
        self._ip(f"link set {host.name} down", namespace=self.switch)

    def isolate(self, host: Host, others: Collection[Host]) -> None:
        """Let both sides send what is for the other one to an address that nobody has."""
        one = self._cut_off.setdefault(host.name, [])
        for other in others:
            for near, far in ((host, other), (other, host)):
                one.append((self.name_of(near.name), far.address))
                self._ip(
                    f"neigh replace {far.address} lladdr {NOBODY} dev eth0 nud permanent",
                    namespace=self.name_of(near.name),
                )

    def slow(self, host: Host, delay_ms: float, jitter_ms: float, loss_percent: float) -> None:
        """Put a program between the host's cable and the switch, which hands on each frame later.

        Raises:
            StackError: this machine does not allow it; says why.
        """
        self.mend(host)
        command = [sys.executable, "-m", "tandem_stack.hosts.slow_cable", host.name]
        command += map(str, (delay_ms, jitter_ms, loss_percent))
        relay = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends with this pipe
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=self.enter(self.switch),  # noqa: PLW1509 - there are no other threads
        )
        said = relay.stdout.readline() if relay.stdout else b""
        if said != b"ready\n":
            relay.kill()
            relay.wait()
            msg = f"No cable can be slow here: {said.decode(errors='replace').strip()}"
            raise StackError(msg)
        self._slow[host.name] = relay
        near, far, bridge = f"{host.name}-n", f"{host.name}-f", f"{host.name}-b"
        self._ip(
            f"link add {bridge} mtu {MTU} type bridge",
            f"link set {near} mtu {MTU} master {bridge} up",
            f"link set {far} mtu {MTU} master br0 up",
            f"link set {bridge} up",
            f"link set {host.name} master {bridge}",
            namespace=self.switch,
        )

    def mend(self, host: Host) -> None:
        """Plug the cable in, right into the switch, and let all reach all again."""
        if relay := self._slow.pop(host.name, None):
            self._ip(f"link set {host.name} master br0", f"link del {host.name}-b", namespace=self.switch)
            relay.kill()
            relay.wait()
        for namespace, address in self._cut_off.pop(host.name, []):
            self._ip(f"neigh del {address} dev eth0", namespace=namespace)
        self._ip(f"link set {host.name} up", namespace=self.switch)

    def remove(self) -> None:
        """Take away all namespaces of this word, and with them their cables."""
        for relay in self._slow.values():
            relay.kill()
            relay.wait()
        self._slow.clear()
        for namespace in _PLACE.glob(f"{self.word}-*"):
            with suppress(StackError):
                self._ip(f"netns del {namespace.name}")
        # The kernel takes a namespace apart later. Its cables are to be gone before others get their names.
        if Path(f"/sys/class/net/{self.word}-0").exists():
            with suppress(StackError):
                self._ip(f"link del {self.word}-0")

    def _ip(self, *lines: str, namespace: str = "") -> None:
        """Carry out lines of `ip`.

        Raises:
            StackError: one has failed; says what `ip` said.
        """
        _ip(lines, namespace)


def _ip(lines: Iterable[str], namespace: str) -> None:
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(  # noqa: PLW1510 - what it says is part of the error
        [find_program("ip", "iproute2"), *where, "-batch", "-"],
        input="\n".join(lines),
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[:1]
        msg = f"The network of hosts could not be changed ({'; '.join(lines)}): {said}."
        raise StackError(msg)
