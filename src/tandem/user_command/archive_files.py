"""Files of old events: gzip members of a thousand users each, a line of JSON an event; an index beside them.

`zcat` reads such a file from end to end. The index, `<file>.index.json`, says at which byte the member of
which first user begins, so that one user's events are found without reading the rest.
"""

import gzip
import hashlib
import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Self

import msgspec

from tandem.errors import TandemError
from tandem.user_command.event_log import Stage, StoredEvent

USERS_A_MEMBER = 1_000
# Twice as fast as the default, and a tenth larger.
_LEVEL = 4
PART, INDEX = ".part", ".index.json"
#: What a file that is damaged, or a disk that is full, leads to.
UNREADABLE = (OSError, EOFError, ValueError, zlib.error, msgspec.MsgspecError)


class ArchivedEvent(msgspec.Struct, frozen=True, gc=False):
    """A line: a row of `prm_user_event`."""

    user_id: int
    id: int
    version: int
    event_type: Stage
    format: int
    event_data: msgspec.Raw
    seed: str
    app_id: str
    created_at: datetime
    traceparent: str | None
    xid: str

    @property
    def data(self) -> str | None:
        """Its data as JSON."""
        text = bytes(self.event_data).decode()
        return None if text == "null" else text

    @property
    def tells(self) -> bool:
        """Whether it has anything that is taken out of an erased person's events."""
        return self.data is not None or self.traceparent is not None

    def stored(self) -> StoredEvent:
        """The event as it is read from the table."""
        columns = (self.seed, self.app_id, self.created_at)
        return StoredEvent(self.version, self.event_type, self.format, self.data, *columns)


class Index(msgspec.Struct):
    """Where each member begins, and what must be in the file."""

    #: The first user's id and the byte of each member, in order.
    members: list[tuple[int, int]] = []
    size: int = 0
    events: int = 0
    #: Of all lines, the first 60 bits of each one's MD5, added up.
    checksum: int = 0


_decode = msgspec.json.Decoder(ArchivedEvent).decode


class ArchiveError(TandemError):
    """Events cannot be moved into files, or read from them, as it was asked for."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say what is wrong with a file, such as a full disk.

    Raises:
        ArchiveError: it cannot be read or written.
    """
    try:
        yield
    except UNREADABLE as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else f"it is damaged: {error}"
        raise ArchiveError(f"{path} cannot be read or written: {why}.") from error


class ArchiveWriter:
    """Writes `<path>.part`, and its index at the end. Nobody reads them before `publish`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with told(path):
            self._file = _part(path).open("wb")
        self._index = Index()
        self._lines: list[bytes] = []
        self._users = 0
        self._first = self._last = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with told(self._path):
            self._file.close()

    def add(self, user_id: int, line: bytes) -> None:
        """Add an event; users come in order."""
        if user_id != self._last:
            if self._users == USERS_A_MEMBER:
                self._end_member()
            if not self._users:
                self._first = user_id
            self._users += 1
            self._last = user_id
        self._lines.append(line)

    def finish(self) -> Index:
        """See to it that all of it is on the disk; what was written."""
        self._end_member()
        with told(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            _write(_part(index_path(self._path)), msgspec.json.encode(self._index))
        return self._index

    def publish(self) -> None:
        """Give both files their names: the index first, so that no file is without one."""
        with told(self._path):
            for path in (index_path(self._path), self._path):
                _part(path).replace(path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _end_member(self) -> None:
        if not self._lines:
            return
        index = self._index
        index.members.append((self._first, index.size))
        with told(self._path):
            index.size += self._file.write(gzip.compress(b"\n".join(self._lines) + b"\n", _LEVEL, mtime=0))
        index.events += len(self._lines)
        index.checksum += sum(map(checksum_of, self._lines))
        self._lines, self._users = [], 0


def checksum_of(line: bytes) -> int:
    """The first 60 bits of its MD5: as PostgreSQL computes it too, to find damage, not malice."""
    return int(hashlib.md5(line, usedforsecurity=False).hexdigest()[:15], 16)


def index_path(path: Path) -> Path:
    """Where the index of an archive is."""
    return path.with_name(path.name + INDEX)


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sums_of_part(path: Path) -> tuple[int, int]:
    """Read what was written to the end: how many lines there are, and their checksums added up."""
    events = checksum = 0
    for line in _lines(_part(path)):
        events += 1
        checksum += checksum_of(line)
    return events, checksum


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every line of a file with its user's id, in order of users."""
    for line in _lines(path):
        yield _decode(line).user_id, line


def read_archive(path: Path) -> Iterator[ArchivedEvent]:
    """Every event of a file, in order of users."""
    return map(_decode, _lines(path))


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        for line in file:
            yield line.rstrip(b"\n")


def events_of(path: Path, user_id: int) -> list[ArchivedEvent]:
    """All events of one user in a file; reads one member."""
    index = _index_of(path)
    place = bisect_right(index.members, user_id, key=lambda member: member[0]) - 1
    if place < 0:
        return []
    begin, end = [*(offset for _, offset in index.members[place : place + 2]), index.size][:2]
    with path.open("rb") as file:
        file.seek(begin)
        lines = gzip.decompress(file.read(end - begin)).splitlines()
    mine = f'{{"user_id":{user_id},'.encode()
    return [_decode(line) for line in lines if line.startswith(mine)]


@lru_cache(maxsize=64)
def _index_of(path: Path) -> Index:
    """A file never changes under its name, so its index is read once."""
    return msgspec.json.decode(index_path(path).read_bytes(), type=Index)


def without_data(lines: Iterable[tuple[int, bytes]], erased: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    """The lines, with nothing in those of erased users that tells of a person."""
    for user_id, line in lines:
        if user_id in erased:
            event = msgspec.structs.replace(_decode(line), event_data=msgspec.Raw(b"null"), traceparent=None)
            yield user_id, msgspec.json.encode(event)
        else:
            yield user_id, line
