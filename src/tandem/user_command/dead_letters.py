"""Dead letters over HTTP: see what was set aside and why, and send it on its way again."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.delivery.dead_letters import DeadLetterRows
from tandem.http.problems import ProblemError
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.ids import HIGHEST_ID
from tandem.postgres.database import Database
from tandem.user.ids import UserPath
from tandem.user_command.queries import QUERIES
from tandem.user_command.repository import KIND

TAG = "dead letters"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A user that was set aside: since when, why, and which instance met it.

    MongoDB refused it for good, or its stored state "cannot be read".
    """

    user_id: int
    seed: str
    version: int
    error: str
    app_id: str
    created_at: datetime


class DeadLetterWithState(DeadLetter, frozen=True, rename="camel"):
    """A dead letter with the state that was refused; null where there is none."""

    state: dict[str, Any] | None


class Retried(msgspec.Struct, frozen=True):
    """How many users are pending again."""

    retried: int


class LettersQuery(msgspec.Struct, frozen=True):
    """Which dead letters to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    after: Annotated[int, Meta(ge=0, le=HIGHEST_ID, description="Only users with a higher id.")] = 0


class DeadLetters(DeadLetterRows):
    """The dead letters of users, in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, KIND, QUERIES["retry_dead_letters"])

    async def page(self, limit: int, after: int) -> list[DeadLetter]:
        """At most `limit` of users with ids above `after`, ascending.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["list_dead_letters"], after, limit)
        return [DeadLetter(*row) for row in rows]

    async def find(self, user_id: int) -> DeadLetterWithState | None:
        """The dead letter of this user, or None.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch(QUERIES["find_dead_letter"], user_id)
        if not rows:
            return None
        columns = dict(rows[0])
        state = _shown(columns.pop("state"))
        return DeadLetterWithState(**columns, state=state)


class DeadLettersController:
    """Answers for the dead letters."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def routes(self) -> list[Route]:
        """The routes of the dead letters."""
        path = "/api/v1/dead-letters"
        return [
            Route(
                "GET",
                path,
                self.page,
                "Users that were set aside, and why",
                query_type=LettersQuery,
                responses={200: list[DeadLetter]},
                problems=(503,),
                tag=TAG,
            ),
            Route(
                "GET",
                f"{path}/{{id}}",
                self.find,
                "One of them, with the refused state",
                path_type=UserPath,
                responses={200: DeadLetterWithState},
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
                problems=(404, 503),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{path}/retry",
                self.retry_all,
                "Send at most 1,000 on their way again",
                responses={200: Retried},
                problems=(503,),
                tag=TAG,
            ),
        ]

    async def page(self, request: Request[NoArguments, LettersQuery, None]) -> Response:
        """A page of dead letters."""
        return json_response(await self._letters.page(request.query.limit, request.query.after))

    async def find(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """One dead letter."""
        letter = await self._letters.find(request.path.id)
        if letter is None:
            raise no_letter(request.path.id)
        return json_response(letter)

    async def retry(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """One dead letter pending again."""
        retried = await self._letters.retry(request.path.id)
        if not retried:
            raise no_letter(request.path.id)
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


def no_letter(user_id: int) -> ProblemError:
    """There is nothing to see or to do for this user."""
    return ProblemError(404, f"User {user_id} is no dead letter.")
