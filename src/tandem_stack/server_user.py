"""The account that the servers run as, because PostgreSQL refuses to run as root."""

import os
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tandem_stack.errors import StackError


@dataclass(frozen=True)
class ServerUser:
    """An unprivileged account."""

    name: str
    uid: int
    gid: int

    def can_use(self, folder: Path) -> bool:
        """Whether this account can reach `folder`, list it, and read everything in it."""
        return self._ask(lambda: all(_readable(path) for path in (folder, *folder.rglob("*"))))

    def can_enter(self, folder: Path) -> bool:
        """Whether this account can pass through `folder` and its parents to its own files inside."""
        return self._ask(lambda: os.access(folder, os.X_OK))

    def _ask(self, question: Callable[[], bool]) -> bool:
        """Answer a question about access in a child that has this account, because only the kernel knows."""
        child = os.fork()
        if child == 0:
            answer = False
            try:
                os.setgroups([])
                os.setgid(self.gid)
                os.setuid(self.uid)
                answer = question()
            finally:
                os._exit(0 if answer else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def server_user(candidates: Iterable[str] = ("postgres", "nobody")) -> ServerUser | None:
    """The account for the servers, or None if we are not root: then they run as our account.

    Raises:
        StackError: we are root, and the machine has none of the candidates.
    """
    if os.geteuid() != 0:
        return None
    for name in candidates:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    msg = (
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it. "
        "Create one (`useradd --system postgres`), or run this as an ordinary user."
    )
    raise StackError(msg)


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)
