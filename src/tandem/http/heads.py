"""Checks the head of a request as a server hands it over, and makes of it what the application takes."""

from collections.abc import Sequence

from tandem.http.problems import ProblemError
from tandem.http.requests import RawHeaders

#: For answers after which the connection is closed.
CLOSE = ("Connection", "close")


def headers_of(pairs: Sequence[tuple[str, str]]) -> RawHeaders:
    """The headers by name. Of several with one name, the first counts."""
    headers = dict(pairs)
    return headers if len(headers) == len(pairs) else dict(reversed(pairs))


def check_head(version: str, headers: RawHeaders, pairs: Sequence[tuple[str, str]]) -> None:
    """Check what RFC 9112 demands of a request, as far as servers leave that to the application.

    Raises:
        ProblemError: 400 or 501, what is wrong with the head.
    """
    if "host" not in headers:
        if not version.startswith("1.1"):
            return
        raise bad_head("The header Host is missing.")
    if len(headers) != len(pairs) and [name for name, _ in pairs].count("host") > 1:
        raise bad_head("There is more than one header Host.")
    if "transfer-encoding" in headers:
        _check_encoding(headers, pairs)


def bad_head(detail: str, status: int = 400) -> ProblemError:
    """A problem after which the connection is closed, since whatever follows could be anything."""
    return ProblemError(status, detail, headers=(CLOSE,))


def _check_encoding(headers: RawHeaders, pairs: Sequence[tuple[str, str]]) -> None:
    if "content-length" in headers:
        raise bad_head("Send either Content-Length or Transfer-Encoding.")
    encodings = [value for name, value in pairs if name == "transfer-encoding"]
    if len(encodings) > 1 or encodings[0].lower() != "chunked":
        raise bad_head("Of all transfer encodings only chunked is known here.", 501)
