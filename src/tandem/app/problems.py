"""What each error means to a client. Nothing else makes problems of errors that were raised below HTTP."""

from collections.abc import Callable, Mapping

from tandem.aggregates.messages import UnreadableAggregate
from tandem.delivery.contest import Overtaken
from tandem.delivery.idempotency import InvalidKey, KeyReused, StillOpen
from tandem.delivery.placement import Draining
from tandem.delivery.rejections import OtherVersion, Rejection
from tandem.feed.errors import CursorLost, EventsArchived, KindNotServed, UnknownKind
from tandem.http.preconditions import etag
from tandem.http.problems import ProblemError, ProblemPlace, bad_field, bad_parameter, try_again
from tandem.http.silence import silence
from tandem.kernel import Overloaded, Unavailable
from tandem.kernel.cells import OtherCell, SilentCells, UnknownCell
from tandem.mongodb.indexes import MissingIndex
from tandem.postgres.standby import NoStandby
from tandem.user import InvalidField
from tandem.user_command.archived_events import ArchiveAway
from tandem.user_command.ids_used_up import IdsUsedUp
from tandem.user_command.rows import UnreadableUser


def _server_of(error: Unavailable) -> str:
    """Which database is away. All else that the error says is for the log."""
    named = (name for name in ("PostgreSQL", "MongoDB") if str(error).startswith(name))
    return next(named, "A database")


#: An error, and those that derive from it, to the problem that a client gets.
TRANSLATE: Mapping[type[Exception], Callable[..., ProblemError]] = {
    OtherCell: lambda error: ProblemError(421, str(error), more={"cell": error.number}),
    Draining: lambda error: try_again(1, str(error)),
    InvalidKey: lambda error: bad_parameter("Idempotency-Key", str(error)),
    KeyReused: lambda error: ProblemError(
        422, str(error), errors=[ProblemPlace(parameter="Idempotency-Key", detail="was used before")]
    ),
    StillOpen: lambda error: try_again(1, str(error)),
    Rejection: lambda error: ProblemError(error.status, str(error)),
    OtherVersion: lambda error: ProblemError(
        error.status, str(error), headers=(etag(error.version),), more={"version": error.version}
    ),
    UnreadableAggregate: lambda error: ProblemError(500, str(error)),
    Overtaken: lambda _: try_again(1, "Others change it all the time; try again in a moment."),
    ArchiveAway: lambda error: try_again(30, str(error)),
    UnreadableUser: lambda error: ProblemError(500, str(error)),
    InvalidField: lambda error: bad_field(error.pointer, error.detail),
    IdsUsedUp: lambda error: ProblemError(507, str(error)),
    MissingIndex: lambda error: try_again(30, str(error)),
    Overloaded: lambda _: try_again(1, "Too much is waiting; try again in a moment."),
    CursorLost: lambda error: ProblemError(410, str(error)),
    EventsArchived: lambda error: ProblemError(
        410, str(error), more={"archived": error.last, "files": error.files}
    ),
    UnknownKind: lambda error: bad_parameter("kind", str(error)),
    KindNotServed: lambda error: try_again(5, str(error)),
    NoStandby: lambda error: try_again(2, f"{error}; no command is carried out without one."),
    SilentCells: lambda error: ProblemError(
        503, f"{error}; try again in a moment.", headers=(("Retry-After", "2"), *silence(error.numbers))
    ),
    UnknownCell: lambda error: bad_parameter("cell", str(error)),
    Unavailable: lambda error: try_again(2, f"{_server_of(error)} does not answer; try again in a moment."),
}
