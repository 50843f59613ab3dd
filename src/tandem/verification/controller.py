"""How both stores compared, over HTTP."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tandem.delivery.flow_state import Latest
from tandem.http.requests import Request, Response, json_response
from tandem.http.routes import Route
from tandem.http.silence import SILENT_CELLS, silence
from tandem.kernel import Unavailable
from tandem.kernel.cells import Everywhere
from tandem.verification.chunks import VerifiedState, added_up

DESCRIPTION = (
    "What the scrubbers of all instances last saw. `isEqual`: nothing was found but what is equal or on its "
    "way to MongoDB. `ageSeconds`: how old the oldest part of that is. `isWhole`: all parts were seen. "
    "`tandem verify` compares everything now, and names what differs."
)


class Verification(msgspec.Struct, frozen=True, rename="camel"):
    """Whether both stores are equal, as of when, and what was found of each kind."""

    is_equal: bool
    is_whole: bool
    #: 0 where nothing was verified yet.
    age_seconds: float
    #: How many users were compared.
    users: int
    kinds: list[VerifiedState]
    #: Cells that did not answer in time, and are left out; missing where all have.
    silent_cells: Sequence[int] | UnsetType = UNSET


class VerificationController:
    """Shows what was found last."""

    def __init__(self, cells: Everywhere[Latest[Sequence[VerifiedState]]]) -> None:
        self._cells = cells

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "GET",
                "/api/v1/verification",
                self.show,
                "Whether both stores are equal, and as of when",
                responses={200: Verification},
                headers={200: SILENT_CELLS},
                problems=(503,),
                description=DESCRIPTION,
                tag="statistics",
            )
        ]

    async def show(self, _: Request[Any, Any, None]) -> Response:
        """What was found.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        heard = await self._cells.ask(_latest)
        found = added_up(list(heard.answers.values()))
        answer = Verification(
            is_equal=bool(found) and all(each.is_equal for each in found),
            is_whole=bool(found) and all(each.is_whole for each in found) and not heard.silent,
            age_seconds=round(max((each.age_seconds for each in found), default=0.0), 3),
            users=sum(each.checked for each in found if each.kind == "user"),
            kinds=list(found),
            silent_cells=heard.silent or UNSET,
        )
        return json_response(answer, headers=silence(heard.silent))


async def _latest(found: Latest[Sequence[VerifiedState]]) -> Sequence[VerifiedState]:
    latest = await found.latest()
    if latest is None:
        raise Unavailable("PostgreSQL does not answer")
    return latest
