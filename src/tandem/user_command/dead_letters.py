"""Dead letters over HTTP: see what MongoDB refused for good, and send it on its way again."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.user_command.database import Database
from tandem.user_command.user_path import HIGHEST_ID, UserPath
from tandem.web.problems import ProblemError
from tandem.web.requests import NoArguments, Request, Response, json_response
from tandem.web.routes import Route

TAG = "dead letters"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A user that MongoDB refused for good: since when, why, and which instance met it."""

    user_id: int
    seed: str
    version: int
    error: str
    app_id: str
    created_at: datetime


class DeadLetterWithState(DeadLetter, frozen=True, rename="camel"):
    """A dead letter with the state of the user that was refused."""

    state: dict[str, Any]


class Retried(msgspec.Struct, frozen=True):
    """How many users are pending again."""

    retried: int


class LettersQuery(msgspec.Struct, frozen=True):
    """Which dead letters to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    after: Annotated[int, Meta(ge=0, le=HIGHEST_ID, description="Only users with a higher id.")] = 0


class DeadLetters:
    """The dead letters in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, limit: int, after: int) -> list[DeadLetter]:
        """At most `limit` of users with ids above `after`, ascending.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("list_dead_letters", after, limit)
        return [DeadLetter(*row) for row in rows]

    async def find(self, user_id: int) -> DeadLetterWithState | None:
        """The dead letter of this user, or None.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("find_dead_letter", user_id)
        if not rows:
            return None
        columns = dict(rows[0])
        state = msgspec.json.decode(columns.pop("state"))
        return DeadLetterWithState(**columns, state=state)

    async def retry(self, user_id: int | None = None) -> int:
        """Make the dead letter of this user pending again, or at most 1,000 of all. How many they were.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("retry_dead_letters", user_id)
        return int(rows[0]["retried"])

    async def count(self) -> tuple[int, str]:
        """How many there are, counted no further than 1,000, and the error of the first; empty without one.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        rows = await self._database.fetch("count_dead_letters")
        return int(rows[0]["letters"]), rows[0]["error"] or ""


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
                "Users that MongoDB refused for good",
                query_type=LettersQuery,
                answers={200: list[DeadLetter]},
                problems=(503,),
                tag=TAG,
            ),
            Route(
                "GET",
                f"{path}/{{id}}",
                self.find,
                "One of them, with the refused state",
                path_type=UserPath,
                answers={200: DeadLetterWithState},
                problems=(404, 503),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{path}/{{id}}/retry",
                self.retry,
                "Send one on its way again",
                path_type=UserPath,
                answers={200: Retried},
                problems=(404, 503),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{path}/retry",
                self.retry_all,
                "Send at most 1,000 on their way again",
                answers={200: Retried},
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


def no_letter(user_id: int) -> ProblemError:
    """There is nothing to see or to do for this user."""
    return ProblemError(404, f"User {user_id} is no dead letter.")
