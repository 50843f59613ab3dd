"""The commands of a proof of an aggregate: those of its trial, and what happens to users meanwhile."""

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from tandem.aggregates import Aggregate, Trial
from tandem.random_users.seeded import SeededRandom
from tandem_lab.errors import LabError
from tandem_lab.proof.commands import (
    ETAG,
    GONE,
    OTHER_VERSION,
    Answer,
    Answered,
    Command,
    Target,
    Targets,
    creation,
    deletion,
)
from tandem_lab.proof.ledger import Acknowledged, Kind
from tandem_lab.proof.plan import Mix

# Not in the state that it has now, and not as it is: by the aggregate's own rules.
REFUSED = (409, 422)
# What the server says of a key that was used for something else: the proof never does that.
SAME_KEY = b"Idempotency-Key"
#: How many users there are at a time. Who is deleted is replaced, and so is who was renamed so often:
#: documents that show a user are written anew each time, and old users have many.
USERS, MOST_NAMES = 40, 10
# One in so many updates is about a user's name.
RENAMED = 4


class AggregateCommand(Command, frozen=True, kw_only=True):
    """A command on an aggregate of a kind, by the name of its class and the end of its path."""

    of: str
    name: str
    segment: str

    @property
    def request(self) -> tuple[str, str, dict[str, str]]:
        """Method, path and headers."""
        headers = {"Idempotency-Key": self.key, "Content-Type": "application/json"}
        headers |= {"If-Match": f'"{self.expected}"'} if self.expected else {}
        path = f"/api/v1/{self.of}-command"
        if self.target is None:
            return "POST", f"{path}?seed={self.seed}", headers
        return "POST", f"{path}/{self.target.id}/{self.segment}", headers

    def answered_by(self, status: int, etag: str, body: bytes) -> Answer | None:
        """See `Command`. What creates has to be acknowledged; all else may be refused."""
        if status == (201 if self.target is None else 200):
            with suppress(msgspec.DecodeError):
                answered = msgspec.json.decode(body, type=Answered)
                return Answer(status, answered.version, answered.id)
        tag = ETAG.fullmatch(etag)
        may_be = (
            (status in REFUSED and SAME_KEY not in body)
            or (status == OTHER_VERSION and self.expected > 0)
            or status == GONE
        )
        return Answer(status, int(tag[1]) if tag else 0) if may_be and self.target is not None else None

    def ends(self, answer: Answer) -> bool:
        """Whether it is left alone after this answer: most of what follows would be refused, too."""
        return answer.status in (GONE, 409)

    def acknowledged_by(self, answer: Answer) -> Acknowledged:
        """What the ledger says of it."""
        id_ = answer.id if self.target is None else self.target.id
        assert id_ is not None  # noqa: S101 - narrows the type: a creation is answered with an id
        return Acknowledged(
            self.key,
            id_,
            self.seed,
            kind=self.kind,
            version=answer.version,
            expected=self.expected,
            command=self.name,
            body=msgspec.json.decode(self.body),
            rejected=answer.status if answer.is_rejection else 0,
        )


class AggregateScript:
    """See `Script`. Aggregates are created and changed; some users are renamed, deleted and erased meanwhile.

    So documents that show users have to be written anew, and reactions to their end carried out.
    """

    def __init__(self, aggregate: Aggregate[Any], trial: Trial, seed: str, mix: Mix) -> None:
        self._aggregate = aggregate
        self._trial = trial
        self._seed = seed
        self._mix = mix
        self._targets = Targets()
        self._users = Targets(MOST_NAMES)
        self._numbers = itertools.count()

    def before(self) -> Sequence[Command]:
        """See `Script`: the first users."""
        return [self._new_user() for _ in range(USERS)]

    def creation(self, index: int) -> Command:
        """See `Script`."""
        key = f"{self._seed}-{index}"
        command = self._trial.create(dice_of(key), self._users.ids)
        if type(command) is not self._aggregate.creates:
            msg = f"The trial of {self._aggregate.plural} creates with {type(command).__name__}: "
            raise LabError(f"{msg}take {self._aggregate.creates.__name__}.")
        return self._command(key, command)

    def changes(self, index: int, created: Target) -> Iterator[Command]:
        """See `Script`."""
        updates = self._mix.updates_after(index)
        for number in range(updates + self._mix.deletes_after(index)):
            key = f"{self._seed}-{index}-{number}"
            dice = SeededRandom(key)
            user = self._users.pick(dice, 2)
            if number >= updates and user is not None:
                yield deletion(self._seed, key, user, dice)
            elif user is not None and dice.below(RENAMED) == 0:
                body = msgspec.json.encode({"name": {"first": key}})
                yield Command(Kind.UPDATE, key, self._seed, user, body)
            else:
                yield self._change(key, self._targets.pick(dice, 2) or created, dice)
            if len(self._users.ids) < USERS:
                yield self._new_user()

    def note(self, command: Command, answer: Answer) -> Target:
        """See `Script`."""
        among = self._targets if isinstance(command, AggregateCommand) else self._users
        return among.note(command, answer)

    def entry(self, command: Command, answer: Answer, tries: int) -> Acknowledged | None:
        """See `Script`. A rejection counts where an earlier try may have been carried out after it."""
        if not isinstance(command, AggregateCommand) or (answer.is_rejection and tries == 1):
            return None
        return command.acknowledged_by(answer)

    def _new_user(self) -> Command:
        return creation(self._seed, next(self._numbers))

    def _change(self, key: str, target: Target, dice: SeededRandom) -> Command:
        command = self._trial.change(dice_of(key), self._targets.ids or [target.id])
        for segment, wanted in self._aggregate.commands.items():
            if type(command) is wanted:
                expected = target.version * dice.below(2)
                return self._command(key, command, segment, target, expected)
        msg = f"The trial of {self._aggregate.plural} changes with {type(command).__name__}, "
        raise LabError(f"{msg}which is none of its `commands`.")

    def _command(
        self, key: str, command: Any, segment: str = "", target: Target | None = None, expected: int = 0
    ) -> Command:
        return AggregateCommand(
            Kind.CREATE if target is None else Kind.UPDATE,
            key,
            self._seed,
            target,
            msgspec.json.encode(command),
            expected,
            of=self._aggregate.name,
            name=type(command).__name__,
            segment=segment,
        )


def dice_of(key: str) -> random.Random:
    """The same for the same key, in every version of Python."""
    return random.Random(key)  # noqa: S311 - it must be repeatable
