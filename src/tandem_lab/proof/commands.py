"""The commands of a proof, each with its idempotency key, and the users that they change."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import msgspec

from tandem.random_users import random_user
from tandem.random_users.seeded import SeededRandom
from tandem.user import UserInput, normalize
from tandem_lab.proof.ledger import Acknowledged, Kind, content_hash
from tandem_lab.proof.plan import Mix

COMMANDS_PATH = "/api/v1/user-command"
ACKNOWLEDGED = {Kind.CREATE: 201, Kind.UPDATE: 200, Kind.DELETE: 204, Kind.ERASE: 204}
ENDS = (Kind.DELETE, Kind.ERASE)
GONE, OTHER_VERSION = 410, 412
ETAG = re.compile(r'"([1-9][0-9]*)"')
# So many users at a time are hot: half of all updates and a quarter of all deletions are about them.
HOT = 5
MOST_TARGETS = 200
# A user that has so many is changed no more, so that no history outgrows the memory of who compares it.
MOST_VERSIONS = 50


class Answered(msgspec.Struct, frozen=True):
    """The part of an acknowledgement that must be there. The rest is not read."""

    id: int
    version: int


class Answer(NamedTuple):
    """What came back for good. Without an id it is that of the user that the command named."""

    status: int
    version: int
    id: int | None = None

    @property
    def is_rejection(self) -> bool:
        """Whether the command was not carried out."""
        return self.status >= 400


class Target(msgspec.Struct):
    """A user that may be changed, and what all senders together know of it."""

    id: int
    version: int
    #: Whether a deletion was sent.
    may_be_gone: bool = False


class Targets:
    """Some of the users that were created. The first few are hot: changed by many connections at once."""

    def __init__(self, most_versions: int = MOST_VERSIONS) -> None:
        self._users: list[Target] = []
        self._most_versions = most_versions

    @property
    def ids(self) -> list[int]:
        """Their ids."""
        return [user.id for user in self._users]

    def add(self, user: Target, dice: SeededRandom) -> None:
        """Take a new user in; if there are enough, in place of one that is not hot."""
        if len(self._users) < MOST_TARGETS:
            self._users.append(user)
        else:
            self._users[HOT + dice.below(MOST_TARGETS - HOT)] = user

    def pick(self, dice: SeededRandom, one_in: int) -> Target | None:
        """A user to change, hot in one of so many cases; None: there is none."""
        hot = dice.below(one_in) == 0
        among = self._users[:HOT] if hot else self._users
        return dice.pick(among) if among else None

    def let_go(self, user: Target) -> None:
        """Change this user no more; another one becomes hot in its place."""
        if user in self._users:
            self._users[self._users.index(user)] = self._users[-1]
            self._users.pop()

    def note(self, command: "Command", answer: Answer) -> Target:
        """Take note of what a command was answered; the user that it was about."""
        user = command.target
        if user is None:
            assert answer.id is not None  # noqa: S101 - narrows the type: a creation is answered with an id
            user = Target(answer.id, answer.version)
            self.add(user, SeededRandom(command.key))
            return user
        user.version = max(user.version, answer.version)
        if command.ends(answer) or user.version >= self._most_versions:
            self.let_go(user)
        return user


class Command(msgspec.Struct, frozen=True):
    """A command as it is sent, however often."""

    kind: Kind
    key: str
    seed: str
    #: The user that it is about; None: it creates one.
    target: Target | None = None
    body: bytes = b""
    #: The version named in `If-Match`; 0: none.
    expected: int = 0

    @property
    def request(self) -> tuple[str, str, dict[str, str]]:
        """Method, path and headers."""
        headers = {"Idempotency-Key": self.key} | (
            {"If-Match": f'"{self.expected}"'} if self.expected else {}
        )
        if self.target is None:
            return "POST", f"{COMMANDS_PATH}?seed={self.seed}", headers | {"Content-Type": "application/json"}
        path = f"{COMMANDS_PATH}/{self.target.id}"
        if self.kind is Kind.UPDATE:
            return "PATCH", path, headers | {"Content-Type": "application/merge-patch+json"}
        return "DELETE", path + ("?erase=true" if self.kind is Kind.ERASE else ""), headers

    def answered_by(self, status: int, etag: str, body: bytes) -> Answer | None:
        """The answer for good that a response is; None: it is none, or not as it has to be."""
        if self.target is None:
            with suppress(msgspec.DecodeError):
                if status == ACKNOWLEDGED[self.kind]:
                    created = msgspec.json.decode(body, type=Answered)
                    return Answer(status, created.version, created.id)
            return None
        tag = ETAG.fullmatch(etag)
        version = int(tag[1]) if tag else 0
        is_right = (
            (status == ACKNOWLEDGED[self.kind] and version > 0)
            or (status == OTHER_VERSION and self.expected > 0 and version not in (0, self.expected))
            or (status == GONE and self.target.may_be_gone)
        )
        return Answer(status, version) if is_right else None

    def ends(self, answer: Answer) -> bool:
        """Whether the user cannot be changed any more after this answer."""
        return answer.status == GONE or (self.kind in ENDS and not answer.is_rejection)

    def acknowledged_by(self, answer: Answer) -> Acknowledged:
        """What the ledger says of it."""
        user_id = answer.id if self.target is None else self.target.id
        assert user_id is not None  # noqa: S101 - narrows the type: a creation is answered with an id
        content, patch = "", None
        if self.kind is Kind.CREATE:
            content = content_hash(normalize(msgspec.json.decode(self.body, type=UserInput))).hex()
        elif self.kind is Kind.UPDATE:
            patch = msgspec.json.decode(self.body)
        return Acknowledged(
            self.key, user_id, self.seed, content, self.kind, answer.version, self.expected, patch
        )


def creation(seed: str, index: int) -> Command:
    """The command that creates the user with this number."""
    return Command(Kind.CREATE, f"{seed}-{index}", seed, body=msgspec.json.encode(random_user(seed, index)))


def update(seed: str, key: str, user: Target, dice: SeededRandom) -> Command:
    """A command that updates this user, and in one of two cases expects its last known version."""
    body = msgspec.json.encode(_patch(key, dice))
    return Command(Kind.UPDATE, key, seed, user, body, user.version * dice.below(2))


def deletion(seed: str, key: str, user: Target, dice: SeededRandom) -> Command:
    """A command that deletes this user, or, in one of four cases, erases it."""
    kind = Kind.ERASE if dice.below(4) == 0 else Kind.DELETE
    user.may_be_gone = True
    return Command(kind, key, seed, user, expected=user.version * dice.below(2))


def _patch(key: str, dice: SeededRandom) -> dict[str, Any]:
    """A merge patch. The key in it tells its effect from that of all others, but where it only removes."""
    patches: list[dict[str, Any]] = [
        {"phone": key},
        {"cell": None, "name": {"first": key}},
        {"cell": key, "location": {"city": key, "postcode": None, "street": {"name": key, "number": None}}},
        {"login": {"username": key}, "location": {"postcode": key, "state": None}},
        {"nat": None},  # a second time it changes nothing
    ]
    return dice.pick(patches)


class Script(Protocol):
    """What a proof sends, and to whom."""

    def before(self) -> Sequence[Command]:
        """What is sent before all else."""

    def creation(self, index: int) -> Command:
        """The command that creates the thing with this number, of those that are counted."""

    def changes(self, index: int, created: Target) -> Iterator[Command]:
        """What is due after that, one by one: each once the one before is answered."""

    def note(self, command: Command, answer: Answer) -> Target:
        """Take note of an answer for good; whom the command was about."""

    def entry(self, command: Command, answer: Answer, tries: int) -> Acknowledged | None:
        """What the ledger says of a command that was sent so often; None: nothing."""


class UserScript:
    """See `Script`. Users are created, and some of them changed from several connections at a time."""

    def __init__(self, seed: str, mix: Mix) -> None:
        self._seed = seed
        self._mix = mix
        self._targets = Targets()
        self.note = self._targets.note

    def before(self) -> Sequence[Command]:
        """See `Script`."""
        return ()

    def creation(self, index: int) -> Command:
        """See `Script`."""
        return creation(self._seed, index)

    def changes(self, index: int, created: Target) -> Iterator[Command]:
        """See `Script`."""
        mix = self._mix
        due = [(update, 2)] * mix.updates_after(index) + [(deletion, 4)] * mix.deletes_after(index)
        for number, (make, one_in) in enumerate(due):
            key = f"{self._seed}-{index}-{number}"
            dice = SeededRandom(key)
            yield make(self._seed, key, self._targets.pick(dice, one_in) or created, dice)

    def entry(self, command: Command, answer: Answer, tries: int) -> Acknowledged | None:
        """See `Script`."""
        del tries
        return None if answer.is_rejection else command.acknowledged_by(answer)
