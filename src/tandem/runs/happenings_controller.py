"""What happened in runs, over HTTP: whoever makes a fault tells it here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.http.problems import RETRY_AFTER, bad_field
from tandem.http.requests import Request, Response
from tandem.http.routes import Route
from tandem.runs.happenings import MOST, Kept, What
from tandem.runs.kinds import OfKind, part_of
from tandem.runs.samples import RunSamples
from tandem.user.profile import Seed


class NewHappening(msgspec.Struct, frozen=True):
    """What somebody tells of a run."""

    at: Annotated[datetime, Meta(tz=True, description="When it happened.")]
    kind: What
    text: Annotated[
        str,
        Meta(min_length=1, max_length=300, pattern=r"^[^\x00]+$", description="What happened, for people."),
    ]


class RunPath(msgspec.Struct, frozen=True):
    """The path of one run."""

    seed: Seed


class HappeningsController:
    """Takes what others tell of a run."""

    def __init__(self, samples: Mapping[str, RunSamples]) -> None:
        """`samples` keep what happened in runs of each kind, by its name."""
        self._samples = samples

    def routes(self) -> list[Route]:
        """The one route."""
        return [
            Route(
                "POST",
                "/api/v1/runs/{seed}/happenings",
                self.note,
                "Note what happened in a run, for all who watch it",
                path_type=RunPath,
                query_type=OfKind,
                body_type=NewHappening,
                responses={204: None},
                headers={503: RETRY_AFTER},
                problems=(503,),
                tag="statistics",
                description=(
                    "Such as a fault that somebody has made. The same one twice is kept once. A run has the "
                    f"newest {MOST}, for 30 days."
                ),
            )
        ]

    async def note(self, request: Request[RunPath, OfKind, NewHappening]) -> Response:
        """Keep it."""
        told, samples = request.body, part_of(self._samples, request.query)
        try:
            at = told.at.astimezone(UTC)
        except OverflowError:
            raise bad_field("#/at", "is no moment that there is in UTC") from None
        once = f"{told.kind} {at.isoformat()} {told.text}"
        await samples.note([(request.path.seed, Kept(at, told.kind, told.text, once))])
        return Response(204)
