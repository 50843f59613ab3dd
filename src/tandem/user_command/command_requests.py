"""What requests that carry commands have in common: their headers, and the run they belong to."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.delivery.idempotency import Idempotency, idempotency_of
from tandem.http.preconditions import ETAG, expected_versions
from tandem.http.problems import ProblemError, bad_parameter
from tandem.http.requests import RawHeaders, Request
from tandem.ids import HIGHEST_CELL
from tandem.user.profile import Seed

# W3C Trace Context, version 00, with the flag `sampled`; all zeros name no trace, and no span.
_SAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[13579bdf]")
_CELL = re.compile("[0-9]{1,4}")
_WHICH_CELL = "Which cell is to have it, where there are several; else any."

# For a route's documentation: what the headers of commands and of their answers are for.
IDEMPOTENCY_KEY = {
    "Idempotency-Key": "A key of at most 128 printable characters. However often a command is sent with it, "
    "it is carried out once, and each answer is that of the first."
}
ANSWERED = ETAG | {
    "Idempotent-Replayed": "`true` if an earlier command with this key did it.",
    "Preference-Applied": "The wait that was granted.",
}
NAMED_CELL = {"Tandem-Cell": "Which cell is to have it, as the parameter `cell`."}
RETRY = {503: {"Retry-After": "Seconds to wait before sending it again."}}


def prefer(what: str) -> dict[str, str]:
    """The documentation of `Prefer`, of commands on `what`, such as "the user"."""
    wait = f"answer when MongoDB has acknowledged {what}, after at most S seconds (10 at most)."
    return {"Prefer": f"`wait=S`: {wait}"}


PREFER = prefer("the user")


class RunQuery(msgspec.Struct, frozen=True):
    """Which run a command belongs to."""

    seed: Seed
    cell: Annotated[int, Meta(ge=0, le=HIGHEST_CELL, description=_WHICH_CELL)] | None = None


def idempotency(request: Request[Any, Any, Any], scope: str) -> Idempotency | None:
    """The key of a command, of which `scope` says what it is about; None where it has none.

    Raises:
        InvalidKey: the key cannot be used.
    """
    header = request.header("Idempotency-Key")
    return None if header is None else idempotency_of(header, scope, request.raw_body)


def named_cell(request: Request[Any, RunQuery, Any]) -> int | None:
    """The cell that the client names for what is created; None: any.

    Raises:
        ProblemError: 400, the header names none.
    """
    header = request.header("Tandem-Cell")
    if header is None:
        return request.query.cell
    if not _CELL.fullmatch(header):
        raise bad_parameter("Tandem-Cell", f"must be the number of a cell, 0 to {HIGHEST_CELL}")
    return int(header)


def expected(request: Request[Any, Any, Any], *, require: bool) -> frozenset[int] | None:
    """The versions that a command is about; None: any. With `require`, the client has to say so.

    Raises:
        ProblemError: 428, the client does not say; 400, the header is malformed.
    """
    if require and request.header("If-Match") is None:
        detail = "Say with If-Match which version this is about, or * for any. GET answers it as ETag."
        raise ProblemError(428, detail)
    return expected_versions(request)


def traceparent_of(headers: RawHeaders) -> str | None:
    """The trace that a request belongs to, if it is sampled."""
    header = headers.get("traceparent")
    return header if header is not None and _SAMPLED.fullmatch(header) else None
