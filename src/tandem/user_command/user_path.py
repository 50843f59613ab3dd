"""A user's id: in the path of a request, as several controllers of the command side take it; and its end."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.kernel import KernelError

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1


class IdsUsedUp(KernelError):
    """Every id below 2^53 was given to some user: none can be created any more."""

    def __init__(self) -> None:
        super().__init__(
            "All user ids are used up: PostgreSQL's sequence prm_user_id_seq is at its end. No user can be "
            "created until an operator has looked at it; see the runbook NoInstanceReady."
        )


class UserPath(msgspec.Struct, frozen=True):
    """The path of one user."""

    id: Annotated[int, Meta(ge=1, le=HIGHEST_ID, description="The user's id.")]
