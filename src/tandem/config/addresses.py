"""The sentence about an address in the settings at which no server can be used."""

UNREADABLE_URL = "its URL cannot be read: percent-encode what is special in the password"


def unusable_at(url: str, server: str, variable: str, why: str | None) -> str:
    """Which address was tried, without the password, and how to start a server.

    `why` is None where the URL cannot be read. A driver's error about that quotes a piece of the URL, which
    may be a piece of the password.
    """
    address = (url.rpartition("@")[2] if "@" in url else url.partition("://")[2]).partition("?")[0]
    return (
        f"{server} cannot be used at {address} ({UNREADABLE_URL if why is None else why}). Check {variable} "
        "and that the server runs; `tandem up` starts one of its own."
    )
