"""The data folder of a stack: what is kept between runs, and who may read it.

D/               0700 (as root 0710, so that the servers' account can pass through)
  memory.json    0600: generated passwords and the databases' ports
  status.json    0600: what runs now
  lock           held while a stack runs on this folder
  logs/          one file for each service
  servers/       the servers' own files; for root they may be in another place that their account can reach
    HOST/        those of a host, where the stack has hosts (`hosts`)
  cells.json     0600: which cells there are to be, where it has hosts (`hosts.desired`)
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec

from tandem_stack.errors import StackError
from tandem_stack.host import THIS_MACHINE, Host
from tandem_stack.server_user import ServerUser, server_user

# The place for the servers' files if we are root and their account cannot reach the data folder.
SHARED_PLACE = Path("/var/lib/tandem")
# A log that is larger than this is renamed at the next start. One old log is kept.
MAX_LOG_BYTES = 20_000_000
# A command that reads the status holds the lock for a moment. `tandem up` waits this long for it to end.
LONGEST_LOOK_SECONDS = 0.5


def _password() -> Any:
    """A field with a new password, which needs no escaping in a URL."""
    return msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))


class Memory(msgspec.Struct, kw_only=True):
    """What a stack remembers from run to run."""

    postgres_password: str = _password()
    postgres_owner_password: str = _password()
    postgres_service_password: str = _password()
    mongodb_owner_password: str = _password()
    mongodb_service_password: str = _password()
    # The key that members of a replica set share. It must be base64, which hexadecimal digits are, too.
    mongodb_key: str = msgspec.field(default_factory=lambda: secrets.token_hex(48))
    # 0 means that no port has been chosen yet.
    postgres_port: int = 0
    mongodb_port: int = 0
    # What only a stack of several hosts needs: the first two bytes of their addresses, and more passwords.
    network: str = ""
    replication_password: str = _password()
    rewind_password: str = _password()
    etcd_root_password: str = _password()
    etcd_password: str = _password()
    patroni_password: str = _password()


@dataclass(frozen=True)
class DataFolder:
    """An opened data folder. `servers` is where the servers' files are, `user` the account they run as.

    `host` is the one whose part of it this is.
    """

    path: Path
    servers: Path
    user: ServerUser | None
    host: Host = THIS_MACHINE

    def of(self, host: Host) -> Self:
        """The part of the data folder that is this host's."""
        return replace(self, host=host)

    def log(self, name: str) -> Path:
        """The log file of a service. One that has become too large is renamed first."""
        log = self.path / "logs" / f"{self.host.title(name).replace(' ', '-')}.log"
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))
        return log

    def folder_for_server(self, name: str) -> Path:
        """The folder `name` for a server's files, made if missing. Only the servers' account can enter it."""
        folder = self.of_host / name
        folder.mkdir(mode=0o700, exist_ok=True)
        self.hand_over(folder)
        return folder

    @property
    def of_host(self) -> Path:
        """The folder for all servers of the host, made if missing."""
        folder = self.servers / self.host.name
        if not folder.exists():
            folder.mkdir(mode=0o700)
            _let_through(folder, self.user)
        return folder

    def hand_over(self, path: Path) -> None:
        """Make the servers' account the owner of a file or folder that we have made."""
        if self.user:
            os.chown(path, self.user.uid, self.user.gid)

    @property
    def programs(self) -> Path:
        """The folder for copies of programs that cannot run where they are installed."""
        folder = self.servers / "programs"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return folder

    def remember(self) -> Memory:
        """What earlier runs have kept. The first run generates the passwords.

        Raises:
            StackError: the file is missing or damaged, but there is data.
        """
        file = self.path / "memory.json"
        if not file.exists() and not _holds_data(self.servers):
            self.keep(Memory())
        try:
            memory = msgspec.json.decode(file.read_bytes(), type=Memory)
            self.keep(memory)  # an older version has not kept everything
            return memory
        except (FileNotFoundError, msgspec.DecodeError):
            msg = (
                f"{file} is missing or damaged, and with it the databases' passwords. Put a copy of it back, "
                f"or remove {self.path} to start over without the data."
            )
            raise StackError(msg) from None

    def keep(self, memory: Memory) -> None:
        """Keep this for later runs."""
        write_private(self.path / "memory.json", msgspec.json.encode(memory))


def open_data_folder(path: Path) -> DataFolder:
    """Open the data folder at `path`, and make it if it does not exist.

    Raises:
        StackError: there is something else at `path`, or it cannot be written.
    """
    path = path.expanduser().absolute()
    user = server_user()
    try:
        if _is_strange(path):
            msg = f"{path} holds files that are not Tandem's. Name a new or an empty folder with --data-dir."
            raise StackError(msg)
        if not path.exists():
            path.mkdir(mode=0o700, parents=True)
            _let_through(path, user)
        servers = _servers_folder(path, user)
        if not (path / "logs").exists():
            # The data folder is new. Files of an earlier one elsewhere are useless without its passwords.
            shutil.rmtree(servers, ignore_errors=True)
        servers.mkdir(mode=0o700, exist_ok=True)
        _let_through(servers, user)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
        return DataFolder(path, servers, user)
    except OSError as error:
        msg = f"The data folder {path} cannot be used: {error.strerror}. Name another with --data-dir."
        raise StackError(msg) from None


def hold(path: Path) -> bool:
    """Lock the data folder at `path` for this process and its forks, until the last of them has ended.

    Returns whether it was free.
    """
    lock = _open_lock(path)
    deadline = time.monotonic() + LONGEST_LOOK_SECONDS
    while not _take(lock, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(lock)
            return False
        time.sleep(0.01)
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return True


def is_held(path: Path) -> bool:
    """Whether a stack is running on the data folder at `path`.

    Raises:
        PermissionError: it belongs to another account.
    """
    if not (path / "lock").exists():
        return False
    lock = _open_lock(path)
    try:
        return not _take(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def holder(path: Path) -> int:
    """The process id of the `tandem up` that runs, or ran last, on the data folder at `path`."""
    return int((path / "lock").read_text() or 0)


def _take(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_lock(path: Path) -> int:
    return os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only this account can read, in one step: readers see the old content or the new."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with suppress(FileNotFoundError):
        unfinished.unlink()
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(file)


def _holds_data(servers: Path) -> bool:
    """Whether an earlier run has made databases: on this machine itself, or on some host."""
    return any(True for pattern in ("postgres", "*/postgres") for _ in servers.glob(pattern))


def _is_strange(path: Path) -> bool:
    """Whether there is something at `path` that no earlier run has made."""
    if not path.exists():
        return False
    return not path.is_dir() or (any(path.iterdir()) and not (path / "logs").is_dir())


def _servers_folder(path: Path, user: ServerUser | None) -> Path:
    """A folder that the servers' account can reach: in the data folder, or else in `SHARED_PLACE`."""
    if user is None or user.can_enter(path):
        return path / "servers"
    SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return SHARED_PLACE / hashlib.sha256(bytes(path)).hexdigest()[:16]


def _let_through(folder: Path, user: ServerUser | None) -> None:
    """Let the servers' account pass through a folder that we have made."""
    if user:
        os.chown(folder, -1, user.gid)
        folder.chmod(0o710)
