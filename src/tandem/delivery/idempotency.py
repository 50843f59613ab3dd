"""Idempotent commands: what is sent again with its key is carried out once, wherever it is sent.

The key is kept with what the command has made, and lives as long. What came with it is kept as a fingerprint,
so that a key used for another command is noticed. Refused commands (4xx, 5xx) leave nothing behind and may be
sent again.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from tandem.errors import TandemError
from tandem.kernel import Unavailable

# draft-ietf-httpapi-idempotency-key-header writes the key as a quoted string; many clients send it bare.
_KEY = re.compile(
    r'"(?P<quoted>[\x20\x21\x23-\x7e]{1,128})"|(?P<bare>[\x21\x23-\x7e][\x20\x21\x23-\x7e]{0,127})'
)
# Each try learns of at least one key; more than a few mean that something else is wrong.
MOST_TRIES = 5


class Idempotency(msgspec.Struct, frozen=True, gc=False):
    """What makes a repeated command known: the client's key, and a hash of what came with it."""

    key: str
    fingerprint: bytes


class Keyed(Protocol):
    """A command that may have a key."""

    @property
    def idempotency(self) -> Idempotency | None:
        """Its key; None if it may be carried out each time that it comes."""


K = TypeVar("K", bound=Keyed)
R = TypeVar("R")


class InvalidKey(TandemError):
    """The Idempotency-Key cannot be used; the message says what one looks like."""


class KeyReused(TandemError):
    """The Idempotency-Key was used for another command."""


class KeyTaken(Exception):
    """A key of the batch was used before; nothing of the batch was written."""


class StillOpen(TandemError):
    """What this command needs, such as its key, is in the hands of a transaction that is still open.

    Nothing was done; the command may be sent again as soon as that one has ended.
    """


class HeldUp(Exception):
    """These commands of a batch would have to wait for others' transactions; nothing of it was written.

    `why` says what those do: "uses the same key".
    """

    def __init__(self, commands: Sequence[Keyed], why: str) -> None:
        super().__init__(f"{len(commands)} commands would wait for a transaction that {why}")
        self.commands = commands
        self.why = why


class Known(msgspec.Struct, Generic[R], frozen=True, gc=False):
    """What a key stands for: the fingerprint of the first command with it, and that one's result."""

    fingerprint: bytes
    result: R | Exception


def idempotency_of(header: str, scope: str, raw_body: bytes) -> Idempotency:
    """The key of a header and the fingerprint of what came with it: SHA-256 of scope and raw body.

    Raises:
        InvalidKey: it has no or more than 128 characters, or others than printable ASCII.
    """
    match = _KEY.fullmatch(header.strip())
    if match is None:
        msg = "must be 1 to 128 printable ASCII characters, bare or in double quotes"
        raise InvalidKey(msg)
    fingerprint = hashlib.sha256(scope.encode() + b"\x00" + raw_body).digest()
    return Idempotency(match["quoted"] or match["bare"], fingerprint)


def keys_of(commands: Sequence[Keyed]) -> list[str]:
    """The keys of those that have one."""
    return [command.idempotency.key for command in commands if command.idempotency is not None]


async def once_each(
    commands: Sequence[K],
    carry_out: Callable[[Sequence[K]], Awaitable[Sequence[R | Exception]]],
    find: Callable[[Sequence[str]], Awaitable[Mapping[str, Known[R]]]],
    replay: Callable[[R], R],
) -> list[R | Exception]:
    """Carry out a batch, each key once; a result or an error for each command, in their order.

    Nearly all keys are new, so the batch is carried out at once; only where a key turns out to be taken are
    the taken ones found, by a statement of its own: the first one's snapshot cannot see a transaction that it
    lost to. A command that would have to wait for a transaction of others gets `StillOpen`, so that the
    others need not wait with it.

    Args:
        commands: what to carry out.
        carry_out: does so in one transaction; a result for each, or the error that it alone has. It raises
            `KeyTaken` or `HeldUp` instead, and then it has done nothing.
        find: what the first commands with these keys have got; a key that is new is missing.
        replay: makes of that what a later command with the key gets.

    Raises:
        Unavailable: as `carry_out` and `find` do, or the keys were taken again and again.
    """
    known: dict[str, Known[R]] = {}
    held_up: dict[int, str] = {}
    for _ in range(MOST_TRIES):
        new = _to_carry_out([command for command in commands if id(command) not in held_up], known)
        try:
            results = await carry_out(new) if new else []
        except KeyTaken:
            known |= await find(keys_of(new))
            continue
        except HeldUp as error:
            held_up |= _with_the_same_keys(commands, error)
            continue
        done = dict(zip(map(id, new), results, strict=True))
        # What failed now may have been done by an earlier command with its key.
        failed = [command for command in new if isinstance(done[id(command)], Exception)]
        if keys := keys_of(failed):
            known |= await find(keys)
        return _results(commands, done, known, held_up, replay)
    msg = "Idempotency keys of one batch were taken again and again"
    raise Unavailable(msg)


def _to_carry_out(commands: Sequence[K], known: Mapping[str, Known[R]]) -> list[K]:
    """Those without a key, and the first of each key that nothing is known of.

    In the order of their keys, so that two batches with the same keys cannot wait for each other in a circle.
    """
    first: dict[str, K] = {}
    without_key = []
    for command in commands:
        if command.idempotency is None:
            without_key.append(command)
        elif command.idempotency.key not in known:
            first.setdefault(command.idempotency.key, command)
    return without_key + [first[key] for key in sorted(first)]


def _results(
    commands: Sequence[K],
    done: Mapping[int, R | Exception],
    known: Mapping[str, Known[R]],
    held_up: Mapping[int, str],
    replay: Callable[[R], R],
) -> list[R | Exception]:
    """What each command gets; `done` and `held_up` know commands by their Python ids."""
    firsts = {
        command.idempotency.key: Known(command.idempotency.fingerprint, done[id(command)])
        for command in commands
        if command.idempotency is not None and id(command) in done
    }

    def result(command: K) -> R | Exception:
        if why := held_up.get(id(command)):
            return StillOpen(f"Another transaction has not ended yet that {why}.")
        key = command.idempotency
        if id(command) in done and (key is None or key.key not in known):
            return done[id(command)]
        assert key is not None  # noqa: S101 - narrows the type: without a key it was carried out
        return replayed(known.get(key.key) or firsts[key.key], key, replay)

    return [result(command) for command in commands]


def replayed(first: Known[R], key: Idempotency, replay: Callable[[R], R]) -> R | Exception:
    """What a later command with this key gets."""
    if isinstance(first.result, Exception):
        return first.result
    if first.fingerprint != key.fingerprint:
        return KeyReused("This Idempotency-Key was used for another command. Send a new one.")
    return replay(first.result)


def _with_the_same_keys(commands: Sequence[K], error: HeldUp) -> dict[int, str]:
    """The Python ids of those that are held up, or have the key of one that is, and why."""
    keys = set(keys_of(error.commands))
    held_up = [one for one in commands if one.idempotency is not None and one.idempotency.key in keys]
    return {id(command): error.why for command in [*error.commands, *held_up]}
