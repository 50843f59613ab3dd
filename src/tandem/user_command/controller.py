"""The command side over HTTP."""

import asyncio
import re

import msgspec

from tandem.cqrs import CreateUserCommand, UserCommandAggregate
from tandem.delivery.idempotency import StillOpen, idempotency_of
from tandem.http.problems import ProblemError
from tandem.http.requests import Headers, NoArguments, RawHeaders, Request, Response, json_response
from tandem.http.routes import Route, Scope
from tandem.kernel import CommandBus
from tandem.user import UserInput, normalize
from tandem.user.ids import UserPath
from tandem.user.profile import Seed
from tandem.user_command.service import UserCommandService
from tandem.user_command.views import CreatedUser, UserRows

# W3C Trace Context, version 00, with the flag `sampled`; all zeros name no trace, and no span.
_SAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[13579bdf]")

# Between the tries of a command that another open transaction is in the way of.
PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)


class RunQuery(msgspec.Struct, frozen=True):
    """Which run a command belongs to."""

    seed: Seed


class UserCommandController:
    """Takes commands, and shows what PostgreSQL holds."""

    def __init__(self, commands: CommandBus, service: UserCommandService) -> None:
        self._commands = commands
        self._service = service

    def routes(self) -> list[Route]:
        """The routes of the command side."""
        return [
            Route(
                "POST",
                "/api/v1/user-command",
                self.create,
                "Create a user",
                query_type=RunQuery,
                body_type=UserInput,
                responses={201: CreatedUser},
                request_headers={
                    "Idempotency-Key": "A key of at most 128 printable characters. However often a command "
                    "is sent with it, one user is created, and each answer is that of the first."
                },
                headers={
                    201: {
                        "Location": "Where the user's rows and events are.",
                        "Idempotent-Replayed": "`true` if an earlier command with this key created the user.",
                    },
                    503: {"Retry-After": "Seconds to wait before sending it again."},
                },
                problems=(422, 503, 507),
                scope=Scope.COMMAND,
                tag="command side (PostgreSQL)",
                description="Answered after PostgreSQL has committed the user with its CREATED event.",
            ),
            Route(
                "GET",
                "/api/v1/user-command/{id}",
                self.find,
                "One user as normalized rows, with its events",
                path_type=UserPath,
                responses={200: UserRows},
                problems=(404, 503),
                scope=Scope.QUERY,
                tag="command side (PostgreSQL)",
            ),
        ]

    async def create(self, request: Request[NoArguments, RunQuery, UserInput]) -> Response:
        """Put a `CreateUserCommand` on the bus and answer after its commit."""
        seed = request.query.seed
        header = request.header("Idempotency-Key")
        idempotency = None if header is None else idempotency_of(header, seed, request.raw_body)
        aggregate = await self._execute(
            CreateUserCommand(seed, normalize(request.body), idempotency, _traceparent_of(request.headers))
        )
        headers: Headers = (("Location", f"/api/v1/user-command/{aggregate.user.id}"),)
        if aggregate.replayed:
            headers += (("Idempotent-Replayed", "true"),)
        return json_response(CreatedUser.of(aggregate.user), 201, headers)

    async def _execute(self, command: CreateUserCommand) -> UserCommandAggregate:
        """Send a command; where another transaction is in its way, wait here, and nobody waits with it."""
        for pause in PAUSES_SECONDS:
            try:
                return await self._commands.execute(command)
            except StillOpen:
                await asyncio.sleep(pause)
        return await self._commands.execute(command)

    async def find(self, request: Request[UserPath, NoArguments, None]) -> Response:
        """The rows and events of one user."""
        rows = await self._service.find(request.path.id)
        if rows is None:
            raise ProblemError(404, f"There is no user with id {request.path.id}.")
        return json_response(rows)


def _traceparent_of(headers: RawHeaders) -> str | None:
    """The trace that a request belongs to, if somebody follows it: its flag `sampled` is set."""
    header = headers.get("traceparent")
    return header if header is not None and _SAMPLED.fullmatch(header) else None
