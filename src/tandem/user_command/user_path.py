"""The path of one user, as several controllers of the command side take it."""

from typing import Annotated

import msgspec
from msgspec import Meta

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1


class UserPath(msgspec.Struct, frozen=True):
    """The path of one user."""

    id: Annotated[int, Meta(ge=1, le=HIGHEST_ID, description="The user's id.")]
