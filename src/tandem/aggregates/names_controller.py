"""Which aggregates an instance serves, over HTTP: for whoever asks for runs or dead letters by name."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tandem.aggregates.definition import USER, Aggregate
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route


class AggregateNames(msgspec.Struct, frozen=True):
    """What one is called, as in paths and queries, and what many are."""

    name: str
    plural: str


USERS = AggregateNames(USER, "users")


class AggregateNamesController:
    """Lists the aggregates, users first."""

    def __init__(self, aggregates: Sequence[Aggregate[Any]]) -> None:
        self._names = [USERS, *(AggregateNames(each.name, each.plural) for each in aggregates)]

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/aggregates",
                self.names,
                "Users, and the aggregates that are installed",
                responses={200: list[AggregateNames]},
                tag="statistics",
            )
        ]

    async def names(self, _: Request[Any, Any, None]) -> Response:
        """All of them."""
        return json_response(self._names)
