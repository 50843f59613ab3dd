"""Errors as answers: `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tandem.errors import TandemError
from tandem.http.requests import Headers, Response

PROBLEM_JSON = "application/problem+json"
#: For the documentation of routes that answer with `try_again`.
RETRY_AFTER = {"Retry-After": "Seconds to wait before trying again."}

_encode_json = msgspec.json.Encoder().encode


class ProblemPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with a request, and where: in a parameter, or in the body."""

    detail: str
    #: The name of a path or query parameter.
    parameter: str = ""
    #: A JSON Pointer into the body as a URI fragment (RFC 6901, section 6), `#/location/postcode`.
    pointer: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong with a request. With the type `about:blank` the title is that of the status."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[ProblemPlace] = []


class ProblemError(TandemError):
    """Raise it anywhere below an endpoint to answer with a problem.

    `detail` is for the person who sent the request: what is wrong, and what to do about it.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: Sequence[ProblemPlace] = (),
        headers: Headers = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """`more` are members of the problem of its own (RFC 9457, section 3.2)."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers
        self.more = more or {}

    def problem(self) -> Problem:
        """The body of the answer."""
        return Problem(
            type="about:blank",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=list(self.errors),
        )

    def response(self) -> Response:
        """The whole answer."""
        body: Any = {**msgspec.to_builtins(self.problem()), **self.more} if self.more else self.problem()
        return Response(self.status, _encode_json(body), PROBLEM_JSON, self.headers)


def try_again(in_seconds: int, detail: str) -> ProblemError:
    """503 that says when to try again."""
    return ProblemError(503, detail, headers=(("Retry-After", str(in_seconds)),))


def bad_parameter(parameter: str, detail: str) -> ProblemError:
    """400 for one parameter of the path or the query."""
    place = ProblemPlace(parameter=parameter, detail=detail)
    return ProblemError(400, f"The parameter {parameter!r} {detail}.", errors=[place])


def bad_field(pointer: str, detail: str) -> ProblemError:
    """400 for one field of the body; `pointer` like `#/location/postcode`, `#` for the body itself."""
    where = "The body" if pointer == "#" else f"The field {pointer.removeprefix('#/')!r}"
    return ProblemError(400, f"{where} {detail}.", errors=[ProblemPlace(pointer=pointer, detail=detail)])
