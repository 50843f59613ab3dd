"""Why the feed cannot go on, or was asked for what it does not have."""

from collections.abc import Sequence

from tandem.errors import TandemError


class CursorLost(TandemError):
    """The event that a cursor names is not there: PostgreSQL was brought back to a state before it."""

    def __init__(self) -> None:
        super().__init__(
            "The event of this cursor is not there any more: PostgreSQL was brought back to a state before "
            "it. Begin anew without `after`, with an empty store; docs/feed.md has more."
        )


class UnknownKind(TandemError):
    """The feed was asked for a kind that there is not."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(f"names a kind that there is not: there are {', '.join(kinds)}")


class KindNotServed(TandemError):
    """The database has the log of a kind that this program does not know."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"The database has events of {kind!r}, which this instance does not know: it is being deployed, "
            "or was removed. Try again in a moment; if it was removed, name the other kinds by `kind`."
        )


class EventsArchived(TandemError):
    """Events after a cursor were moved into files, which the feed does not read."""

    def __init__(self, files: Sequence[str], last: int) -> None:
        super().__init__(
            "Events after this cursor were moved into files (`tandem events archive`). Read them, then "
            f"ask again with `archived={last}`: {', '.join(files[:5])}{', ...' if len(files) > 5 else ''}."
        )
        #: The number of the last archive, and the files.
        self.last, self.files = last, files
