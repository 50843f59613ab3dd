"""`POST /lab/faults` and `POST /lab/presets/{name}`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.http.requests import NoArguments, Request, Response
from tandem.http.routes import Route
from tandem.user.profile import Seed
from tandem_lab.desk import PATH
from tandem_lab.desk.catalogue import LONGEST_SECONDS, SHORTEST_SECONDS, USUAL_SECONDS
from tandem_lab.desk.striking import Asked, Striker, Struck

TAG = "faults"
RunSeed = Annotated[Seed, Meta(description="The run whose watchers are told of it.")]


class FaultAsked(msgspec.Struct, frozen=True):
    """A fault, as it is asked for."""

    fault: Annotated[str, Meta(description="Its name in `GET /lab`.")]
    target: Annotated[str, Meta(description="One of its targets; if none, by chance.")] | None = None
    seconds: Annotated[
        int,
        Meta(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS, description="For how long, where it has an end."),
    ] = USUAL_SECONDS
    seed: RunSeed | None = None


class PresetPath(msgspec.Struct, frozen=True):
    """Which preset."""

    name: str


class PresetAsked(msgspec.Struct, frozen=True):
    """A preset, as it is asked for."""

    seed: RunSeed | None = None


class Begun(msgspec.Struct, frozen=True):
    """What a preset has begun with."""

    struck: list[Struck]


class FaultsController:
    """Lets faults happen."""

    def __init__(self, striker: Striker) -> None:
        self._striker = striker

    def routes(self) -> list[Route]:
        """Both routes."""
        return [
            Route(
                "POST",
                f"{PATH}/faults",
                self.strike,
                "Let a fault happen",
                body_type=FaultAsked,
                responses={202: Struck},
                problems=(409,),
                tag=TAG,
            ),
            Route(
                "POST",
                f"{PATH}/presets/{{name}}",
                self.strike_preset,
                "Let the faults of a preset happen, one after the other",
                path_type=PresetPath,
                body_type=PresetAsked,
                responses={202: Begun},
                problems=(404, 409),
                tag=TAG,
            ),
        ]

    async def strike(self, request: Request[NoArguments, NoArguments, FaultAsked]) -> Response:
        """Begin it; what comes of it is in `GET /lab`."""
        asked, who = request.body, Asked(request.body.seed, request.header("authorization") or "")
        struck = self._striker.strike(asked.fault, asked.target, asked.seconds, who)
        return Response(202, msgspec.json.encode(struck))

    async def strike_preset(self, request: Request[PresetPath, NoArguments, PresetAsked]) -> Response:
        """Begin it; what has not happened yet comes into `GET /lab` when it does."""
        who = Asked(request.body.seed, request.header("authorization") or "")
        begun = Begun(self._striker.strike_preset(request.path.name, who))
        return Response(202, msgspec.json.encode(begun))
