"""The ledger: what was acknowledged, written down at once.

It has one line of JSON for each command. The proof takes what was promised only from here: not from the
counters of the sender, and not from the system.
"""

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from tandem_lab.errors import LabError

_sorted_json = msgspec.json.Encoder(order="sorted").encode


def content_hash(profile: Any) -> bytes:
    """SHA-256 of a `Profile`, or of one decoded from JSON. The order of its fields makes no difference."""
    return hashlib.sha256(_sorted_json(msgspec.to_builtins(profile))).digest()


class Kind(StrEnum):
    """What a command is to do with a user. Those on aggregates only create, or update."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ERASE = "erase"


class Acknowledged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A command that was acknowledged: its idempotency key, its user and run, and what it was promised."""

    key: str
    id: int
    seed: str
    #: Of a creation: the content hash in hex.
    content: str = ""
    kind: Kind = Kind.CREATE
    #: Which version of the user the command has led to.
    version: int = 1
    #: The version that was named in `If-Match`; 0: none.
    expected: int = 0
    #: Of an update: what it set, as a merge patch.
    patch: dict[str, Any] | None = None
    #: Of a command on an aggregate: the name of its class, and the command itself.
    command: str = ""
    body: dict[str, Any] | None = None
    #: When, in seconds since 1970.
    at: float = 0.0
    #: The status that it was rejected with, after tries of which it is not known what became; 0: it was not.
    rejected: int = 0


class Ledger:
    """An open ledger. When `write` has returned, the operating system has the line: a kill cannot undo it."""

    def __init__(self, path: Path) -> None:
        """Begin a ledger at `path`.

        Raises:
            LabError: there is a file already, or none can be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
        except FileExistsError:
            msg = f"{path} exists already, and a ledger is never overwritten. Name another with --ledger."
            raise LabError(msg) from None
        except OSError as error:
            msg = f"The ledger {path} cannot be written ({error.strerror}). Name another with --ledger."
            raise LabError(msg) from None

    def write(self, entry: Acknowledged) -> None:
        """Add a line.

        Raises:
            LabError: it cannot be written.
        """
        try:
            self._file.write(msgspec.json.encode(entry) + b"\n")
            self._file.flush()
        except OSError as error:
            msg = f"The ledger {self.path} cannot be written ({error.strerror}), so nothing can be proved."
            raise LabError(msg) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_ledger(path: Path) -> Iterator[Acknowledged]:
    """The lines of a ledger, in the order in which they were acknowledged."""
    decode = msgspec.json.Decoder(Acknowledged).decode
    with path.open("rb") as file:
        yield from map(decode, file)
