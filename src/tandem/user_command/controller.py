"""The command side over HTTP: create, update, delete."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.cqrs import CreateUserCommand, DeleteUserCommand, UpdateUserCommand, UserCommandAggregate
from tandem.delivery.acknowledgements import Acknowledgements
from tandem.delivery.contest import until_settled
from tandem.delivery.moved_keys import MovedKeys
from tandem.delivery.placement import Placement
from tandem.http.decoding import decode_body
from tandem.http.preconditions import IF_MATCH, etag
from tandem.http.preferences import preferred_wait, wait_applied
from tandem.http.requests import (
    JSON,
    MERGE_PATCH,
    Headers,
    NoArguments,
    Request,
    Response,
    json_response,
)
from tandem.http.routes import Route, Scope
from tandem.kernel import Command, CommandBus
from tandem.user import UserInput, UserPatch, normalize
from tandem.user.ids import UserPath
from tandem.user_command.command_requests import (
    ANSWERED,
    IDEMPOTENCY_KEY,
    NAMED_CELL,
    PREFER,
    RETRY,
    RunQuery,
    expected,
    idempotency,
    named_cell,
    traceparent_of,
)
from tandem.user_command.event_log import Stage
from tandem.user_command.views import CreatedUser, UpdatedUser

TAG = "command side (PostgreSQL)"
WAITED = (
    "With `Prefer: wait=S`, the answer comes once MongoDB has acknowledged the user (`SYNCRONIZED`), or with "
    "the status reached by then."
)


class DeleteQuery(msgspec.Struct, frozen=True):
    """How a user is deleted."""

    erase: Annotated[
        bool, Meta(description="Also forget all that is known of the person, in the history, too.")
    ] = False


_decode_patch = msgspec.json.Decoder(dict[str, Any])


class UserCommandController:
    """Takes commands."""

    def __init__(
        self,
        commands: CommandBus,
        acknowledgements: Acknowledgements,
        placement: Placement,
        keys: MovedKeys[UserCommandAggregate],
        *,
        require_if_match: bool = False,
    ) -> None:
        self._commands = commands
        self._placement = placement
        self._keys = keys
        self._acknowledgements = acknowledgements
        self._require_if_match = require_if_match

    def routes(self) -> list[Route]:
        """The routes of commands."""
        one = "/api/v1/user-command/{id}"
        return [
            Route(
                "POST",
                "/api/v1/user-command",
                self.create,
                "Create a user",
                query_type=RunQuery,
                body_type=UserInput,
                responses={201: CreatedUser},
                request_headers=IDEMPOTENCY_KEY | NAMED_CELL | PREFER,
                headers={201: {"Location": "Where the user's rows and events are."} | ANSWERED} | RETRY,
                # Of a repeated command whose user was erased since.
                problems=(410, 421, 422, 503, 507),
                scope=Scope.COMMAND,
                tag=TAG,
                description="Answered after PostgreSQL has committed the user with its CREATED event. "
                + WAITED,
            ),
            Route(
                "PATCH",
                one,
                self.update,
                "Update a user by a JSON Merge Patch",
                path_type=UserPath,
                body_type=UserPatch,
                body_media_types=(MERGE_PATCH, JSON),
                responses={200: UpdatedUser},
                request_headers=IDEMPOTENCY_KEY | IF_MATCH | PREFER,
                headers={200: ANSWERED} | RETRY,
                problems=(404, 410, 412, 421, 422, 428, 503),
                scope=Scope.COMMAND,
                tag=TAG,
                description="RFC 7396: what the body names is changed, null removes. A patch that changes "
                "nothing leaves the version as it is. " + WAITED,
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                "Delete a user",
                path_type=UserPath,
                query_type=DeleteQuery,
                responses={204: None},
                request_headers=IDEMPOTENCY_KEY | IF_MATCH | PREFER,
                headers={204: {"Tandem-Status": "The status reached."} | ANSWERED} | RETRY,
                problems=(404, 410, 412, 421, 422, 428, 503),
                scope=Scope.COMMAND,
                tag=TAG,
                description="Nobody reads the user any more; its history stays, unless it is erased. "
                + WAITED,
            ),
        ]

    async def create(self, request: Request[NoArguments, RunQuery, UserInput]) -> Response:
        """Put a `CreateUserCommand` on the bus and answer after its commit."""
        cell = named_cell(request)
        self._placement.require_named(cell)
        self._placement.require_open()
        seed = request.query.seed
        command = CreateUserCommand(
            seed, normalize(request.body), idempotency(request, seed), traceparent_of(request.headers)
        )
        aggregate = await until_settled(
            lambda: self._keys.once(
                command.idempotency, lambda: self._commands.execute(command), is_named=cell is not None
            )
        )
        status, headers = await self._answered(request, aggregate, "CREATED")
        location = ("Location", f"/api/v1/user-command/{aggregate.user.id}")
        return json_response(CreatedUser.of(aggregate.user, status), 201, (location, *headers))

    async def update(self, request: Request[UserPath, NoArguments, UserPatch]) -> Response:
        """Put an `UpdateUserCommand` on the bus and answer after its commit."""
        self._placement.require_own(request.path.id)
        user_id, versions = request.path.id, self._expected(request)
        command = UpdateUserCommand(
            user_id,
            decode_body(_decode_patch, request.raw_body),
            versions,
            idempotency(request, f"PATCH {user_id} {request.header('If-Match')}"),
            traceparent_of(request.headers),
        )
        aggregate = await self._execute(command)
        status, headers = await self._answered(request, aggregate, "UPDATED")
        return json_response(UpdatedUser.of(aggregate.user, status), 200, headers)

    async def delete(self, request: Request[UserPath, DeleteQuery, None]) -> Response:
        """Put a `DeleteUserCommand` on the bus and answer after its commit."""
        self._placement.require_own(request.path.id)
        user_id, erase = request.path.id, request.query.erase
        command = DeleteUserCommand(
            user_id,
            erase,
            self._expected(request),
            idempotency(request, f"DELETE {user_id} {erase} {request.header('If-Match')}"),
            traceparent_of(request.headers),
        )
        aggregate = await self._execute(command)
        status, headers = await self._answered(request, aggregate, "ERASED" if erase else "DELETED")
        return Response(204, headers=(("Tandem-Status", status), *headers))

    def _expected(self, request: Request[Any, Any, Any]) -> frozenset[int] | None:
        return expected(request, require=self._require_if_match)

    async def _execute(self, command: Command[UserCommandAggregate]) -> UserCommandAggregate:
        return await until_settled(lambda: self._commands.execute(command))

    async def _answered(
        self, request: Request[Any, Any, Any], aggregate: UserCommandAggregate, status: Stage
    ) -> tuple[Stage, Headers]:
        """The status that the user has reached, and the headers of the answer."""
        headers: Headers = (etag(aggregate.user.version),)
        if aggregate.replayed:
            headers += (("Idempotent-Replayed", "true"),)
        # What a key has made in another cell is not waited for here.
        wait = preferred_wait(request) if self._placement.has(aggregate.user.id) else 0.0
        if wait and await self._acknowledgements.is_synchronized(aggregate.user.id, wait):
            status = "SYNCRONIZED"
        return status, headers + wait_applied(wait)
