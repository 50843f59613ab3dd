"""What a client prefers, but does not demand: the header `Prefer` (RFC 7240)."""

import re
from typing import Any

from tandem.http.requests import Request

#: The longest that a client is kept waiting, in seconds: less than load balancers wait for an answer (12 s).
LONGEST_WAIT = 10.0

_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)


def preferred_wait(request: Request[Any, Any, Any]) -> float:
    """How many seconds the client would wait for what it asks for; 0 where it does not say.

    A malformed preference is ignored, as RFC 7240 demands.
    """
    found = _WAIT.search(request.header("Prefer") or "")
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def wait_applied(seconds: float) -> tuple[tuple[str, str], ...]:
    """The header that says which wait was granted; empty where none was asked for."""
    return (("Preference-Applied", f"wait={seconds:.0f}"),) if seconds else ()
