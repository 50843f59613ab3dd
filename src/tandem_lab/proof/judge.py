"""What is wrong with one user, by what the ledger, PostgreSQL and MongoDB say of it.

A version is what the events up to it make of a profile. They are folded here, by a few lines that share
nothing with the service, so that a fault in its own fold is found as well.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from tandem.mongodb.document import Document, is_tombstone
from tandem_lab.proof.ledger import Acknowledged, Kind, content_hash
from tandem_lab.proof.verdict import Failure

Json = dict[str, Any]

SYNCHRONIZED = "SYNCRONIZED"
STAGES = {Kind.UPDATE: "UPDATED", Kind.DELETE: "DELETED", Kind.ERASE: "ERASED"}
GONE = ("DELETED", "ERASED")
NOT_OF_THE_PROFILE = {"_id", "seed", "appId", "currentStatus", "version"}
TOMBSTONE = NOT_OF_THE_PROFILE | {"deletedAt"}
# The first letters of all that can happen to a user, in order.
LIFE = re.compile("CU*D?E?")
AFTER_ITS_END = re.compile("[DE].*[CU]")
NOTHING: Json = {}
NOBODY: Json = {"email": ""}  # what is left of an erased user


class Change(msgspec.Struct, frozen=True, gc=False):
    """What the ledger says of an acknowledged update or deletion: some 200 bytes. See `Acknowledged`."""

    kind: Kind
    version: int
    expected: int
    #: As JSON.
    patch: bytes


class Promise(msgspec.Struct, gc=False):
    """What the ledger says of a user: the key and the content hash of its creation, and its changes."""

    key: str
    content: bytes
    changes: tuple[Change, ...] = ()

    def add(self, entry: Acknowledged) -> None:
        """Note a change."""
        patch = msgspec.json.encode(entry.patch)
        self.changes += (Change(entry.kind, entry.version, entry.expected, patch),)

    @property
    def is_deleted(self) -> bool:
        """Whether a deletion was acknowledged."""
        return any(change.kind is not Kind.UPDATE for change in self.changes)


class Event(msgspec.Struct, frozen=True, array_like=True):
    """An event in PostgreSQL, as `users_of_run.sql` returns it."""

    version: int
    stage: str
    data: Json | None


class Row(msgspec.Struct, frozen=True):
    """A user in PostgreSQL, as `users_of_run.sql` returns it."""

    id: int
    key: str | None
    version: int
    status: str
    pending: bool
    dead: bool
    #: The profile that the normalized rows make, and the events in the order of their versions; as JSON.
    rows: str
    events: str

    @property
    def is_on_the_way(self) -> bool:
        """Whether PostgreSQL knows that MongoDB does not have the last version."""
        return self.pending or self.dead

    @property
    def is_a_clients(self) -> bool:
        """Whether a client has created it: nobody else creates users."""
        return True

    @property
    def is_synchronized(self) -> bool:
        """Whether PostgreSQL says that MongoDB has the last version. A deleted user keeps its status."""
        return self.status in (SYNCHRONIZED, *GONE) and not self.is_on_the_way


class Version(NamedTuple):
    """One change of a user, and the profiles before and after it. None of an erased user: nobody can tell."""

    number: int
    stage: str
    before: Json | None
    after: Json | None

    def is_led_to_by(self, command: Change) -> bool:
        """Whether this is what the command asked for."""
        if self.stage != STAGES[command.kind]:
            return False
        return command.kind is not Kind.UPDATE or _leads(command.patch, self.before, self.after)

    def needs_nothing_of(self, command: Change) -> bool:
        """Whether the command finds nothing to change here."""
        is_update = command.kind is Kind.UPDATE and self.stage not in GONE
        return is_update and _leads(command.patch, self.after, self.after)


class History:
    """What has happened to a user: its changes, and the versions that MongoDB has acknowledged."""

    def __init__(self, events: str) -> None:
        found = msgspec.json.decode(events, type=list[Event])
        self.changes = [event for event in found if event.stage != SYNCHRONIZED]
        self.acknowledged = [event.version for event in found if event.stage == SYNCHRONIZED]
        self.numbers = [change.version for change in self.changes]
        self.life = "".join(change.stage[0] for change in self.changes)
        self.is_erased = self.life.endswith("E")
        self.is_gone = self.life.endswith(("D", "E"))
        #: The profile before the first change, and after each.
        self.profiles = list(accumulate(self.changes, _folded, initial=NOTHING))

    @property
    def is_doubled(self) -> bool:
        """Whether a version is there twice, or was acknowledged twice."""
        return any(len(set(each)) < len(each) for each in (self.numbers, self.acknowledged))

    @property
    def is_sound(self) -> bool:
        """Whether the versions follow each other from 1, as in a life; an erased one left nothing."""
        return (
            LIFE.fullmatch(self.life) is not None
            and self.numbers == list(range(1, len(self.numbers) + 1))
            and set(self.acknowledged) <= set(self.numbers)
            and not (self.is_erased and any(change.data for change in self.changes))
        )

    def versions(self) -> Iterator[Version]:
        """Each version, in order."""
        for change, *profiles in zip(self.changes, self.profiles, self.profiles[1:], strict=False):
            yield Version(change.version, change.stage, *((None, None) if self.is_erased else profiles))


def merged(target: Json, patch: Mapping[str, Any]) -> Json:
    """RFC 7396, where an object without any value is as good as absent. From {}: the patch without such."""
    result = dict(target)
    for name, value in patch.items():
        before = result.pop(name, None)
        after = (
            merged(before if isinstance(before, dict) else {}, value) if isinstance(value, dict) else value
        )
        if after is not None and after != {}:
            result[name] = after
    return result


def _folded(profile: Json, change: Event) -> Json:
    """The profile after a change. A deleted user's rows keep it."""
    return NOBODY if change.stage == "ERASED" else merged(profile, change.data or {})


def _leads(patch: bytes, before: Json | None, after: Json | None) -> bool:
    return before is None or merged(before, msgspec.json.decode(patch)) == after


def judge(promise: Promise, row: Row | None, document: Document | None) -> Iterator[Failure]:
    """What is wrong with a user that the ledger has; lost commands and surplus versions each by itself."""
    if row is None:
        yield Failure.LOST
        return
    history = History(row.events)
    if history.is_doubled:
        yield Failure.DOUBLED
        return
    yield from _commands(history, promise.changes)
    if document is None and not (row.is_on_the_way or history.is_gone):
        yield Failure.LOST
    if _is_resurrected(history, row, document):
        yield Failure.RESURRECTED
    elif not (
        history.is_sound
        and _rows_keep(history, row, promise)
        and _is_finished(history, row)
        and _document_keeps(history, row, document)
    ):
        yield Failure.DIFFERING


def _commands(history: History, commands: Sequence[Change]) -> Iterator[Failure]:
    """Compare what was acknowledged with each version.

    One command has led to it. Others may have been answered with the same one if they change nothing of it.
    Whoever sends a command again when its user is erased gets 410, even if it was carried out: so nobody need
    have acknowledged the versions of an erased user.
    """
    by_version: defaultdict[int, list[Change]] = defaultdict(list)
    for command in commands:
        by_version[command.version].append(command)
    for version in history.versions():
        here = by_version.pop(version.number, [])
        author = next(filter(version.is_led_to_by, here), None)
        for command in here:
            if command is not author and not version.needs_nothing_of(command):
                yield Failure.LOST
        if author is None and version.stage != "CREATED" and not history.is_erased:
            yield Failure.DOUBLED if any(map(version.is_led_to_by, commands)) else Failure.UNACKNOWLEDGED
    yield from (Failure.LOST for missing in by_version.values() for _ in missing)


def _is_resurrected(history: History, row: Row, document: Document | None) -> bool:
    """Whether somebody lives in the events, the rows or the document who was deleted."""
    if AFTER_ITS_END.search(history.life):
        return True
    has_profile = document is not None and not is_tombstone(document) and not row.is_on_the_way
    return history.is_gone and (row.status not in GONE or has_profile)


def _rows_keep(history: History, row: Row, promise: Promise) -> bool:
    """Whether events and rows agree with each other and with what was asked for."""
    if history.is_erased:
        is_as_created = row.key is None
    else:
        is_as_created = row.key == promise.key and content_hash(history.changes[0].data) == promise.content
    return (
        is_as_created
        and row.version == history.numbers[-1]
        and merged({}, msgspec.json.decode(row.rows)) == history.profiles[-1]
        and all(change.expected in (0, change.version - 1, change.version) for change in promise.changes)
    )


def _is_finished(history: History, row: Row) -> bool:
    """Whether MongoDB has acknowledged the last version, or PostgreSQL knows that it has not."""
    status = history.changes[-1].stage if history.is_gone else SYNCHRONIZED
    return row.is_on_the_way or (row.status == status and row.version in history.acknowledged)


def _document_keeps(history: History, row: Row, document: Document | None) -> bool:
    """Whether the document is the last version. On the way it may be an earlier one; else it may be gone."""
    if document is None or (row.is_on_the_way and document.get("version") != row.version):
        return True
    if document.get("version") != row.version:
        return False
    if history.is_gone:
        return document.keys() == TOMBSTONE and document["currentStatus"] == "DELETED"
    profile = {name: value for name, value in document.items() if name not in NOT_OF_THE_PROFILE}
    return document.get("currentStatus") == SYNCHRONIZED and merged({}, profile) == history.profiles[-1]
