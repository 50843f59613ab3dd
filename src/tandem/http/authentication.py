"""Decides which requests are let in: those with a token, or all that no page of another site has sent."""

import time
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from tandem.http.problems import ProblemError
from tandem.http.requests import READING, RawHeaders, RawRequest
from tandem.http.routes import Scope
from tandem.http.tokens import Access, TokenError, TokenRules

# So many verified tokens are remembered: most requests cost one look into a table. The oldest goes first.
_MAX_KNOWN = 1_024
_CHALLENGE = 'Bearer realm="tandem"'


class Authenticator(Protocol):
    """Decides whether a request may use the route that it asks for."""

    def authorize(self, request: RawRequest, scope: Scope | None) -> None:
        """Return if the request may use a route of this scope. None means that the route is public.

        Raises:
            ProblemError: it may not; says what the request would need.
        """


class TokenAuthenticator:
    """Requires a token with the route's scope, as `Authorization: Bearer TOKEN` (RFC 6750)."""

    def __init__(self, rules: TokenRules) -> None:
        self._rules = rules
        self._known: dict[str, Access] = {}

    def authorize(self, request: RawRequest, scope: Scope | None) -> None:
        """See `Authenticator`. A token is checked once per request, at its beginning."""
        if scope is None:
            return
        credentials = request.headers.get("authorization")
        if credentials is None:
            raise _unauthorized("Send an access token, as `Authorization: Bearer TOKEN`.")
        access = self._known.get(credentials)
        if access is None or access.until <= time.time():
            access = self._verify(credentials)
        if scope not in access.scopes:
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            detail = f"The access token lacks the scope '{scope}'."
            raise ProblemError(403, detail, headers=(("WWW-Authenticate", challenge),))

    def _verify(self, credentials: str) -> Access:
        scheme, _, token = credentials.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("Send the access token as `Authorization: Bearer TOKEN`.")
        self._known.pop(credentials, None)
        try:
            access = self._rules.access(token.strip())
        except TokenError as error:
            reason = f"The access token is refused: {error}."
            raise _unauthorized(reason, ', error="invalid_token"') from None
        if len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[credentials] = access
        return access


def _unauthorized(detail: str, error: str = "") -> ProblemError:
    return ProblemError(401, detail, headers=(("WWW-Authenticate", _CHALLENGE + error),))


class SameSiteOnly:
    """Lets every client in, but not the pages of other sites in a browser.

    Such a page may send requests. It may even read the answers, once its own host name leads to our address
    (DNS rebinding). So the host of a request must be an address, localhost, or a name known to be ours, and a
    request that changes something must not come from another site.
    """

    def __init__(self, host_names: Iterable[str] = ()) -> None:
        names = frozenset(name.lower() for name in host_names)
        self._is_ours = lru_cache(maxsize=256)(lambda host: _is_address_or_known(host, names))

    def authorize(self, request: RawRequest, scope: Scope | None) -> None:
        """See `Authenticator`."""
        if scope is None:
            return
        host = request.headers.get("host", "")
        if host and not self._is_ours(host):
            detail = "Ask by an address or as localhost. If this name is right, add it to ALLOWED_HOSTS."
            raise ProblemError(421, detail)
        if request.method not in READING and _is_cross_site(request.headers, host):
            raise ProblemError(403, "A page of another site has sent this.")


def _is_address_or_known(host: str, names: frozenset[str]) -> bool:
    """Whether this Host is an address, or a name that no page of another site can have."""
    text = host.lower()
    in_brackets = text.startswith("[")
    name = text[1:].partition("]")[0] if in_brackets else text.partition(":")[0].removesuffix(".")
    if name == "localhost" or name.endswith(".localhost") or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_cross_site(headers: RawHeaders, host: str) -> bool:
    """Whether a browser says that a page of another site has sent this. Other clients send no such header."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()
