"""Chooses the authenticator of an instance."""

from ipaddress import ip_address
from pathlib import Path

from tandem.config import Settings, SettingsError
from tandem.http.authentication import Authenticator, SameSiteOnly, TokenAuthenticator
from tandem.http.token_keys import KeyFileError, public_keys, read_keys
from tandem.http.tokens import TokenRules


def authenticator_of(settings: Settings) -> Authenticator:
    """The authenticator that the settings ask for.

    Raises:
        SettingsError: other machines could reach this instance without a token, or its keys cannot be used.
    """
    if settings.token_keys_file:
        try:
            keys = read_keys(Path(settings.token_keys_file), public_keys)
        except KeyFileError as error:
            msg = f"TOKEN_KEYS_FILE: {error}"
            raise SettingsError(msg) from None
        return TokenAuthenticator(TokenRules(keys, settings.token_audience, settings.token_issuer))
    if not settings.allow_unauthenticated and not _is_loopback(settings.host):
        msg = (
            f"HOST is {settings.host}: anybody who reaches it could read and write everything. Name the "
            "public keys of access tokens in TOKEN_KEYS_FILE, or listen on 127.0.0.1. If a proxy in front "
            "checks who may pass, set ALLOW_UNAUTHENTICATED=true. docs/security.md has more."
        )
        raise SettingsError(msg)
    return SameSiteOnly(name.strip() for name in settings.allowed_hosts.split(",") if name.strip())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
