"""Tells the service what the desk has let happen, so that all who watch a run see it."""

import asyncio
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

import msgspec

from tandem.kernel import Backoff
from tandem_lab.strikes import Parts
from tandem_stack.ports import http_answer

# The service may be what was struck. After this time nobody is told any more.
PATIENCE_SECONDS = 120.0
AGAIN = Backoff(longest=timedelta(seconds=1))
MOST_TELLING = 100


class Happening(msgspec.Struct, frozen=True):
    """What the service is told."""

    at: datetime
    text: str
    kind: str = "fault"


class Teller:
    """Tells in the background, with the rights of whoever let it happen."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._telling: set[asyncio.Task[bool]] = set()

    def tell(self, seed: str, happening: Happening, authorization: str) -> None:
        """Tell what has happened in a run; `authorization` is the header of whoever asked for it."""
        if len(self._telling) < MOST_TELLING:
            telling = AGAIN.poll(lambda: self._tell_once(seed, happening, authorization), PATIENCE_SECONDS)
            task = asyncio.create_task(telling)
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell_once(self, seed: str, happening: Happening, authorization: str) -> bool:
        """Whether there is no need to tell it again: it is known, or refused for good."""
        address = urlsplit(self._parts.status().url or "")
        path = f"/api/v1/runs/{quote(seed, safe='')}/happenings"
        headers = ["Content-Type: application/json"]
        if authorization:
            headers.append(f"Authorization: {authorization}")
        answer = await http_answer(
            str(address.hostname), address.port or 0, "POST", path, msgspec.json.encode(happening), *headers
        )
        return answer is not None and answer[0] != 429 and answer[0] < 500
