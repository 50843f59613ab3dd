"""Why a command on an aggregate cannot be carried out, whatever its kind."""

from tandem.errors import TandemError


class Rejection(TandemError):
    """A command that cannot be carried out. It changes nothing, and its sender reads why.

    Over HTTP it is a problem with this status (409 says: not in the state that it has now).
    """

    def __init__(self, why: str, status: int = 409) -> None:
        super().__init__(why)
        self.status = status


class Unknown(Rejection):
    """There is no such aggregate."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no such {kind}.", 404)


class Gone(Rejection):
    """The aggregate was deleted."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The {kind} was deleted. The same path with /events shows its history.", 410)


class OtherVersion(Rejection):
    """The aggregate has another version than the command expects."""

    def __init__(self, kind: str, version: int) -> None:
        super().__init__(
            f"The {kind} has version {version}. Read it, decide again, and send that version with If-Match.",
            412,
        )
        self.version = version
