"""The sentence about an address in the settings at which no server can be used."""

from pathlib import Path
from urllib.parse import parse_qsl

UNREADABLE_URL = "its URL cannot be read: percent-encode what is special in the password"
# What a URL may name for TLS, in asyncpg's words and in PyMongo's. Their errors do not say which file it is.
_FILES = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "tlscafile", "tlscertificatekeyfile"}


def unusable_at(url: str, server: str, variable: str, why: str | None) -> str:
    """Which address was tried, without the password, and how to start a server.

    `why` is None where the URL cannot be read. A driver's error about that quotes a piece of the URL, which
    may be a piece of the password.
    """
    address = (url.rpartition("@")[2] if "@" in url else url.partition("://")[2]).partition("?")[0]
    why = _unreadable_file(url) or (UNREADABLE_URL if why is None else why)
    return (
        f"{server} cannot be used at {address} ({why}). Check {variable} "
        "and that the server runs; `tandem up` starts one of its own."
    )


def _unreadable_file(url: str) -> str | None:
    """Which file that the URL names cannot be read, and why; None if all can."""
    for name, path in parse_qsl(url.partition("?")[2]):
        if name.lower() in _FILES:
            try:
                Path(path).open("rb").close()
            except OSError as error:
                return f"{name}: {path} cannot be read: {error.strerror}"
    return None
