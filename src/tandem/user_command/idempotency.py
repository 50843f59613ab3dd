"""Idempotent commands: the same key creates one user, however often and wherever it is sent.

The key is kept with the user and lives as long. What came with it is kept as a fingerprint, so that a key
used for another command is noticed. Refused commands (4xx, 5xx) leave nothing behind and may be sent again.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from tandem.cqrs import CreateUserCommand, Idempotency, UserCommandAggregate
from tandem.user import StoredUser

# draft-ietf-httpapi-idempotency-key-header writes the key as a quoted string; many clients send it bare.
_KEY = re.compile(
    r'"(?P<quoted>[\x20\x21\x23-\x7e]{1,128})"|(?P<bare>[\x21\x23-\x7e][\x20\x21\x23-\x7e]{0,127})'
)


class InvalidKey(Exception):
    """The Idempotency-Key cannot be used; the message says what one looks like."""


class KeyReused(Exception):
    """The Idempotency-Key was used for another command."""


def idempotency_of(header: str, seed: str, raw_body: bytes) -> Idempotency:
    """The key of a header and the fingerprint of what came with it: SHA-256 of seed and raw body.

    Raises:
        InvalidKey: it has no or more than 128 characters, or others than printable ASCII.
    """
    match = _KEY.fullmatch(header.strip())
    if match is None:
        msg = "must be 1 to 128 printable ASCII characters, bare or in double quotes"
        raise InvalidKey(msg)
    fingerprint = hashlib.sha256(seed.encode() + b"\x00" + raw_body).digest()
    return Idempotency(match["quoted"] or match["bare"], fingerprint)


class KeyTaken(Exception):
    """A key of the batch has a user already; nothing of the batch was written."""


class StillOpen(Exception):
    """What this command needs, its key or its country, is in the hands of a transaction that is still open.

    Nothing was done; the command may be sent again as soon as that one has ended.
    """


class HeldUp(Exception):
    """These commands of a batch would have to wait for others' transactions; nothing of it was written."""

    def __init__(self, commands: Sequence[CreateUserCommand]) -> None:
        super().__init__(f"{len(commands)} commands would wait for other transactions")
        self.commands = commands


class KeyedUser(msgspec.Struct, frozen=True, gc=False):
    """The user that a key has created, and the fingerprint of the command that did."""

    fingerprint: bytes
    user: StoredUser


def still_to_create(
    commands: Sequence[CreateUserCommand], known: Mapping[str, KeyedUser]
) -> list[CreateUserCommand]:
    """The commands that create: those without a key, and the first of each key that nothing is known of.

    In the order of their keys, so that two batches with the same keys cannot wait for each other in a circle.
    """
    first: dict[str, CreateUserCommand] = {}
    without_key = []
    for command in commands:
        if command.idempotency is None:
            without_key.append(command)
        elif command.idempotency.key not in known:
            first.setdefault(command.idempotency.key, command)
    return without_key + [first[key] for key in sorted(first)]


def replayed(command: CreateUserCommand, known: Mapping[str, KeyedUser]) -> UserCommandAggregate | KeyReused:
    """What a command gets whose key has a user: that user, or an error where it is another command."""
    assert command.idempotency is not None  # noqa: S101 - narrows the type: without a key it has created
    keyed = known[command.idempotency.key]
    if keyed.fingerprint != command.idempotency.fingerprint:
        return KeyReused("This Idempotency-Key was used for another user or run. Send a new one.")
    return UserCommandAggregate(keyed.user, replayed=True)
