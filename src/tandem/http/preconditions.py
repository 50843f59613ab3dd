"""Versions as entity tags: `ETag`, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8 and 13.1)."""

import re
from collections.abc import Sequence
from typing import Any

from tandem.http.problems import bad_parameter
from tandem.http.requests import Headers, Request, Response

#: For a route's documentation: what the headers are for.
ETAG = {"ETag": "The version, in double quotes."}
IF_MATCH = {"If-Match": 'The versions of which there must be one, such as `"3"`, or `*`.'}
IF_NONE_MATCH = {"If-None-Match": 'Answer 304 without a body if the ETag is one of these, such as `"3"`.'}

_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"[1-9][0-9]{0,9}")


def etag(tag: int | str) -> tuple[str, str]:
    """The header with this strong entity tag: a version, or what else says that nothing has changed."""
    return "ETag", f'"{tag}"'


def expected_versions(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    """The versions of which `If-Match` demands one; None where the header is missing or `*`.

    The comparison is strong: a weak tag never matches, and neither does one that is not a version.

    Raises:
        ProblemError: 400, the header is malformed.
    """
    header = request.header("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = _tags("If-Match", header)
    return frozenset(int(tag) for weak, tag in tags if not weak and _VERSION.fullmatch(tag))


def unless_known(request: Request[Any, Any, Any], tag: int | str, response: Response) -> Response:
    """The response with this ETag, mostly a version; 304 without a body where `If-None-Match` names it.

    Raises:
        ProblemError: 400, the header is malformed.
    """
    headers: Headers = (*response.headers, etag(tag))
    header = request.header("If-None-Match")
    if header is not None and _names(header, str(tag)):
        return Response(304, headers=headers)
    return Response(response.status, response.body, response.media_type, headers)


def _names(header: str, tag: str) -> bool:
    return header.strip() == "*" or tag in (known for _, known in _tags("If-None-Match", header))


def _tags(name: str, header: str) -> Sequence[tuple[str, str]]:
    if _TAGS.fullmatch(header) is None:
        raise bad_parameter(name, 'must be * or entity tags in double quotes, such as "3"')
    return _TAG.findall(header)
