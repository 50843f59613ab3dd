"""A small interface that the tests of HTTP serve."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Code = Annotated[str, Meta(pattern="^[a-z]+$", description="Small letters only.", examples=["abc"])]


class Place(msgspec.Struct):
    postcode: Number | str | None = None
    tags: list[Number] = []


class Thing(msgspec.Struct):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    place: Place | None = None
    code: Code | None = None
    counts: dict[str, Number] = {}


class ThingId(msgspec.Struct):
    id: Annotated[int, Meta(ge=1, le=2**53)]


class Search(msgspec.Struct):
    seed: Annotated[str, Meta(min_length=1, max_length=10)]
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10


async def create(request: Request[NoArguments, Search, Thing]) -> Response:
    value = {"seed": request.query.seed, "limit": request.query.limit, "thing": request.body}
    return json_response(value, 201, (("Location", "/things/1"),))


async def find(request: Request[ThingId, NoArguments, None]) -> Response:
    return json_response({"id": request.path.id, "accept": request.header("Accept")})


async def search(request: Request[NoArguments, Search, None]) -> Response:
    return json_response({"seed": request.query.seed, "limit": request.query.limit})


ROUTES = [
    Route(
        "POST",
        "/things",
        create,
        "Make a thing",
        query_type=Search,
        body_type=Thing,
        responses={201: dict[str, Any]},
        problems=(503,),
        headers={201: {"Location": "Where the thing is."}, 503: {"Retry-After": "Seconds to wait."}},
        tag="things",
    ),
    Route("GET", "/things", search, "Find things", query_type=Search, responses={200: list[Thing]}),
    Route(
        "GET", "/things/{id}", find, "One thing", path_type=ThingId, responses={200: Thing}, problems=(404,)
    ),
]
