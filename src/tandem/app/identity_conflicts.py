"""The way out of an identity conflict: MongoDB has another person under a user's id, and an operator decides.

It needs both sides: the user is a dead letter in PostgreSQL, the document to replace is in MongoDB.
"""

from tandem.http.problems import ProblemError
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.mongodb.documents import DocumentChanged
from tandem.user.ids import UserPath
from tandem.user_command.dead_letters import TAG, DeadLetters, Retried
from tandem.user_command.service import UserCommandService
from tandem.user_query.service import UserQueryService


class IdentityConflictsController:
    """Writes users over other persons' documents."""

    def __init__(
        self, letters: DeadLetters, command_service: UserCommandService, query_service: UserQueryService
    ) -> None:
        self._letters = letters
        self._command_service = command_service
        self._query_service = query_service

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "POST",
                "/api/v1/dead-letters/{id}/replace",
                self.replace,
                "Write one over the other user that MongoDB has under its id",
                path_type=UserPath,
                responses={200: Retried},
                problems=(404, 409, 503),
                tag=TAG,
                description="Only for a dead letter that is an identity conflict, and only while MongoDB has "
                "the very document that its error names. That document is lost.",
            )
        ]

    async def replace(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """Put the user in the other one's place, and send it on its way again.

        If only the first of these two steps is done, both can be done again: there is no conflict any more.
        """
        user_id = request.path.id
        letter = await self._letters.find(user_id)
        user = await self._command_service.current(user_id)
        if letter is None or user is None:
            raise self._letters.no_letter(user_id)
        try:
            replaced = await self._query_service.replace(user, letter.error)
        except DocumentChanged as error:
            detail = f"Nothing was replaced. {error} `tandem dead-letters retry {user_id}` checks it again."
            raise ProblemError(409, detail) from None
        if not replaced:
            detail = f"User {user_id} has no identity conflict: retry it without replacing anything."
            raise ProblemError(409, detail)
        retried = await self._letters.retry(user_id)
        if not retried:
            raise self._letters.no_letter(user_id)
        return json_response(Retried(retried))
