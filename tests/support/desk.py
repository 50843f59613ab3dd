"""The desk of a running stack, as its page uses it."""

from typing import Any

import httpx

from up_process import Up
from waiting import eventually


class Desk:
    """Asks it over the load balancer."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.client = httpx.Client(base_url=up.url, timeout=20)

    @property
    def pid(self) -> int:
        return next(each["pid"] for each in self.up.status()["beside"] if each["name"] == "desk")

    def shown(self) -> dict[str, Any]:
        return eventually(self._shown, "the desk answers")

    def _shown(self) -> dict[str, Any] | None:
        answer = self.client.get("/lab")
        return answer.json() if answer.status_code == 200 else None

    def strike(self, fault: str, **more: Any) -> httpx.Response:
        return self.client.post("/lab/faults", json={"fault": fault} | more)

    def until_over(self, number: int) -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            (struck,) = [each for each in self.shown()["struck"] if each["id"] == number]
            return struck if struck["state"] != "going on" else None

        return eventually(over, f"fault {number} is over")

    def load(self) -> dict[str, Any]:
        return self.client.get("/lab/load").json()

    def until_loaded(self) -> dict[str, Any]:
        ended = lambda: (load := self.load())["state"] not in {"preparing", "sending"} and load  # noqa: E731
        return eventually(ended, "the load has ended")
