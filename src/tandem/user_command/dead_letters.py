"""Dead letters over HTTP: see what was set aside and why, and send it on its way again."""

from datetime import datetime
from itertools import chain
from operator import attrgetter
from types import GenericAlias
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.cqrs.user import KIND
from tandem.delivery.dead_letters import DeadLetterRows
from tandem.http.problems import ProblemError
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.http.silence import SILENT_CELLS, silence
from tandem.ids import HIGHEST_ID
from tandem.kernel.cells import Everywhere
from tandem.postgres.database import Database
from tandem.user.ids import UserPath
from tandem.user.profile import Seed

TAG = "dead letters"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A user that was set aside: since when, why, and which instance met it.

    MongoDB refused it for good, or its stored state "cannot be read".
    """

    id: int = msgspec.field(name="userId")
    seed: str
    version: int
    error: str
    app_id: str
    created_at: datetime


class DeadLetterWithState(DeadLetter, frozen=True, rename="camel"):
    """A dead letter with the state that was refused; null where there is none."""

    state: dict[str, Any] | None


class AggregateDeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """The same of an aggregate."""

    id: int
    seed: str
    version: int
    error: str
    app_id: str
    created_at: datetime


class AggregateDeadLetterWithState(AggregateDeadLetter, frozen=True, rename="camel"):
    """A dead letter with the state that was refused; null where there is none."""

    state: dict[str, Any] | None


class Retried(msgspec.Struct, frozen=True):
    """How many are pending again."""

    retried: int


class LettersQuery(msgspec.Struct, frozen=True):
    """Which dead letters to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    after: Annotated[int, Meta(ge=0, le=HIGHEST_ID, description="Only those with a higher id.")] = 0
    seed: Seed | None = None


class DeadLetters(DeadLetterRows):
    """The dead letters of one kind of work, as they are shown: users, unless told otherwise.

    Args:
        database: where they are.
        kind: what one of them is called.
        plural: what many are called, as on the command line.
        letter: the type that shows one; its fields are the columns of `rows`, in their order.
        letter_with_state: the same with a field `state` in the end.
    """

    def __init__(
        self,
        database: Database,
        kind: str = KIND,
        plural: str = "users",
        letter: type = DeadLetter,
        letter_with_state: type = DeadLetterWithState,
    ) -> None:
        super().__init__(database, kind)
        self.kind = kind
        self.plural = plural
        #: What `tandem dead-letters` is told besides, to be about these.
        self.option = "" if kind == KIND else f" --aggregate {plural}"
        self.letter = letter
        self.letter_with_state = letter_with_state

    async def page(self, limit: int, after: int, seed: str | None = None) -> list[Any]:
        """At most `limit` of those with ids above `after`, ascending; of one run, or of all.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        return [self.letter(*row) for row in await self.rows(limit, after, seed)]

    async def find(self, id_: int) -> Any | None:
        """The dead letter of this id, or None.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        row = await self.row(id_)
        return None if row is None else self.letter_with_state(*row[:-1], state=_shown(row[-1]))

    def no_letter(self, id_: int) -> ProblemError:
        """There is nothing to see or to do for this one."""
        return ProblemError(404, f"{self.kind.capitalize()} {id_} is no dead letter.")


class DeadLettersController:
    """Answers for the dead letters of all cells; sends those of this cell on their way again."""

    def __init__(self, cells: Everywhere[DeadLetters], path: str = "/api/v1/dead-letters") -> None:
        self._cells = cells
        self._letters = cells.own
        self._path = path

    def routes(self) -> list[Route]:
        """The routes of the dead letters."""
        path, letters = self._path, self._letters
        return [
            Route(
                "GET",
                path,
                self.page,
                f"{letters.plural.capitalize()} that were set aside, and why",
                query_type=LettersQuery,
                responses={200: GenericAlias(list, (letters.letter,))},
                headers={200: SILENT_CELLS},
                problems=(503,),
                tag=TAG,
            ),
            Route(
                "GET",
                f"{path}/{{id}}",
                self.find,
                "One of them, with the refused state",
                path_type=UserPath,
                responses={200: letters.letter_with_state},
                problems=(404, 503),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{path}/{{id}}/retry",
                self.retry,
                "Send one on its way again",
                path_type=UserPath,
                responses={200: Retried},
                problems=(404, 421, 503),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{path}/retry",
                self.retry_all,
                "Send at most 1,000 on their way again, of the cell that is asked",
                responses={200: Retried},
                problems=(503,),
                tag=TAG,
            ),
        ]

    async def page(self, request: Request[NoArguments, LettersQuery, None]) -> Response:
        """A page of dead letters."""
        limit, after, seed = request.query.limit, request.query.after, request.query.seed
        heard = await self._cells.ask(lambda letters: letters.page(limit, after, seed))
        page = sorted(chain(*heard.answers.values()), key=attrgetter("id"))[:limit]
        return json_response(page, headers=silence(heard.silent))

    async def find(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """One dead letter."""
        id_ = request.path.id
        letter = await self._cells.ask_for(id_, lambda letters: letters.find(id_))
        if letter is None:
            raise self._letters.no_letter(request.path.id)
        return json_response(letter)

    async def retry(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """One dead letter pending again."""
        self._cells.require_own(request.path.id)
        retried = await self._letters.retry(request.path.id)
        if not retried:
            raise self._letters.no_letter(request.path.id)
        return json_response(Retried(retried))

    async def retry_all(self, request: Request[NoArguments, NoArguments, None]) -> Response:
        """Many dead letters pending again."""
        del request
        return json_response(Retried(await self._letters.retry()))


def _shown(state: str | None) -> dict[str, Any] | None:
    """A stored state for people to look at: whatever it is, since it may be why the user was set aside."""
    try:
        return None if state is None else msgspec.json.decode(state, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"unreadable": state}
