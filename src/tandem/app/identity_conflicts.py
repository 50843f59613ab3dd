"""The way out of an identity conflict: MongoDB has something else under an id, and an operator decides.

It needs both sides: a dead letter in PostgreSQL, and the document in MongoDB that is to be replaced.
"""

import logging
from collections.abc import Awaitable, Callable

from tandem.aggregates.flow import AggregateFlow
from tandem.http.problems import ProblemError
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.kernel.cells import Everywhere
from tandem.mongodb.documents import DocumentChanged, Documents
from tandem.mongodb.identity import fingerprint_in
from tandem.user.ids import UserPath
from tandem.user_command.dead_letters import TAG, DeadLetters, Retried
from tandem.user_command.service import UserCommandService
from tandem.user_query.service import UserQueryService

logger = logging.getLogger(__name__)

# Writes what has this id over the document that the reason (of its dead letter) is about. None: nothing has
# this id; False: the reason is no identity conflict. Raises `DocumentChanged`: nothing was written.
Replace = Callable[[int, str], Awaitable[bool | None]]


def replacing_users(command_service: UserCommandService, query_service: UserQueryService) -> Replace:
    """Writes a user over somebody else's document."""

    async def replace(user_id: int, reason: str) -> bool | None:
        user = await command_service.current(user_id)
        return None if user is None else await query_service.replace(user, reason)

    return replace


def replacing(flow: AggregateFlow, documents: Documents) -> Replace:
    """Writes an aggregate over another one's document."""

    async def replace(id_: int, reason: str) -> bool | None:
        stored, fingerprint = await flow.current(id_), fingerprint_in(reason)
        if stored is None or fingerprint is None:
            return None if stored is None else False
        written = documents.projection.written
        for generation, shown in zip(written, await flow.shown([stored], written), strict=True):
            if isinstance(shown, str):
                raise DocumentChanged(f"{shown.capitalize()}.")
            await documents.replace(shown, fingerprint, generation)
        kind = flow.aggregate.name
        logger.warning("The %s %d took the place of document %s, as asked for.", kind, id_, fingerprint)
        return True

    return replace


class IdentityConflictsController:
    """Writes over documents of others."""

    def __init__(self, cells: Everywhere[DeadLetters], replace: Replace, path: str) -> None:
        self._cells = cells
        self._letters = cells.own
        self._replace = replace
        self._path = path

    def routes(self) -> list[Route]:
        """The one route."""
        kind = self._letters.kind
        return [
            Route(
                "POST",
                f"{self._path}/{{id}}/replace",
                self.replace,
                f"Write one over the other {kind} that MongoDB has under its id",
                path_type=UserPath,
                responses={200: Retried},
                problems=(404, 409, 421, 503),
                tag=TAG,
                description="Only for a dead letter that is an identity conflict, and only while MongoDB has "
                "the very document that its error names. That document is lost.",
            )
        ]

    async def replace(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """Put this one in the other one's place, and send it on its way again.

        If only the first of these two steps is done, both can be done again: there is no conflict any more.
        """
        id_, letters = request.path.id, self._letters
        self._cells.require_own(id_)
        letter = await letters.find(id_)
        if letter is None:
            raise letters.no_letter(id_)
        try:
            replaced = await self._replace(id_, letter.error)
        except DocumentChanged as error:
            again = f"`tandem dead-letters retry {id_}{letters.option}` checks it again."
            raise ProblemError(409, f"Nothing was replaced. {error} {again}") from None
        if replaced is None:
            raise letters.no_letter(id_)
        if not replaced:
            kind = letters.kind.capitalize()
            detail = f"{kind} {id_} has no identity conflict: retry it without replacing anything."
            raise ProblemError(409, detail)
        retried = await letters.retry(id_)
        if not retried:
            raise letters.no_letter(id_)
        return json_response(Retried(retried))
