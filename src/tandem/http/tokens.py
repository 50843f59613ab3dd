"""Access tokens: JSON Web Tokens (RFC 7519) whose claim `scope` lists scopes, separated by spaces."""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import jwt
import msgspec

from tandem.errors import TandemError
from tandem.http.routes import Scope
from tandem.http.token_keys import Key

# By how much the clock that issues tokens may differ from an instance's.
_CLOCK_SKEW_SECONDS = 30
# Longer tokens are refused unread.
_MAX_TOKEN_BYTES = 8_192


class TokenError(TandemError):
    """A token is not valid; the message tells its sender why."""


class Access(NamedTuple):
    """What a token lets its bearer do, and until when, in seconds since 1970."""

    scopes: frozenset[Scope]
    until: float


class TokenRules(msgspec.Struct, frozen=True):
    """Which tokens are accepted."""

    #: One of them must have signed it.
    keys: Sequence[Key]
    #: The audience that a token must name: a key may sign tokens for other services, too.
    audience: str
    #: The issuer that a token must name; empty: any that has a key.
    issuer: str = ""

    def access(self, token: str) -> Access:
        """What this token lets its bearer do.

        Raises:
            TokenError: it is not signed with one of the keys, has expired, or is not for us.
        """
        if len(token) > _MAX_TOKEN_BYTES:
            msg = f"it has more than {_MAX_TOKEN_BYTES} bytes"
            raise TokenError(msg)
        claims = self._claims(token)
        claimed = claims.get("scope", "")
        if not isinstance(claimed, str):
            msg = "its claim scope must be one string: scopes with spaces between them"
            raise TokenError(msg)
        scopes = frozenset(scope for scope in Scope if scope in claimed.split())
        return Access(scopes, float(claims["exp"]) + _CLOCK_SKEW_SECONDS)

    def _claims(self, token: str) -> dict[str, Any]:
        for key in self.keys:
            try:
                return jwt.decode(
                    token,
                    key.key,
                    algorithms=[key.algorithm],
                    audience=self.audience,
                    issuer=self.issuer or None,
                    leeway=_CLOCK_SKEW_SECONDS,
                    options={"require": ["exp", "aud"]},
                )
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                continue
            except jwt.ExpiredSignatureError:
                msg = "it has expired"
                raise TokenError(msg) from None
            except jwt.InvalidTokenError as error:
                raise TokenError(_in_words(error)) from None
        msg = "it is not signed with a key known here"
        raise TokenError(msg)


def new_token(key: Key, scopes: Iterable[Scope], lifetime: timedelta, **claims: str) -> str:
    """A token with these scopes, signed with a private key; `claims` like `aud` and `sub` are added."""
    now = int(time.time())
    times = {"iat": now, "exp": now + int(lifetime.total_seconds())}
    return jwt.encode({**times, "scope": " ".join(scopes), **claims}, key.key, algorithm=key.algorithm)


def _in_words(error: jwt.InvalidTokenError) -> str:
    """Why a token is refused, in our own words: the library's may repeat what the token says."""
    reasons: dict[type[Exception], str] = {
        jwt.MissingRequiredClaimError: "it lacks a claim that it needs: exp, aud, or iss",
        jwt.InvalidAudienceError: "it was made for another service (its claim aud)",
        jwt.InvalidIssuerError: "it has another issuer (its claim iss)",
        jwt.ImmatureSignatureError: "it is not valid yet",
    }
    return reasons.get(type(error), "it is not a valid JSON Web Token")
