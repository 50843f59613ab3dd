"""`GET /api/v1/random-users`: for when randomuser.me is out of reach."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.http.requests import NoArguments, Request, StreamResponse
from tandem.http.routes import Route, Scope
from tandem.random_users.users import VERSION, RandomUser, random_users
from tandem.user.profile import Seed

# Users made without a pause: some 5 ms, in which the event loop can do nothing else.
_CHUNK = 100


class RandomUsersQuery(msgspec.Struct, frozen=True):
    """Which users."""

    results: Annotated[int, Meta(ge=1, le=5_000, description="How many users.")] = 1
    page: Annotated[int, Meta(ge=1, le=1_000_000, description="Which page of so many, from 1.")] = 1
    seed: Annotated[Seed, Meta(description="The same seed gives the same users.")] | None = None


class Info(msgspec.Struct, frozen=True):
    """What was asked for."""

    seed: str
    results: int
    page: int
    version: str = VERSION


class RandomUsers(msgspec.Struct, frozen=True):
    """The answer of randomuser.me 1.4."""

    results: list[RandomUser]
    info: Info


class RandomUsersController:
    """Answers with users that follow from a seed and a page."""

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/random-users",
                self.find,
                "Random users in the format of randomuser.me 1.4",
                query_type=RandomUsersQuery,
                responses={200: RandomUsers},
                scope=Scope.COMMAND,
                tag="random-users",
            )
        ]

    async def find(self, request: Request[NoArguments, RandomUsersQuery, None]) -> StreamResponse:
        """Users from number `(page - 1) * results` on; without a seed, those of a random one."""
        query = request.query
        info = Info(query.seed or secrets.token_hex(8), query.results, query.page)
        return StreamResponse(_chunks(info))


async def _chunks(info: Info) -> AsyncIterator[bytes]:
    first = (info.page - 1) * info.results
    opening = b'{"results":['
    for done in range(0, info.results, _CHUNK):
        users = random_users(info.seed, first + done, min(_CHUNK, info.results - done))
        yield opening + b",".join(map(msgspec.json.encode, users))
        opening = b","
        await asyncio.sleep(0)
    yield b'],"info":%b}' % msgspec.json.encode(info)
