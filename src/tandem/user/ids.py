"""A user's id: its highest value, and the path of a request that names one."""

from typing import Annotated

import msgspec
from msgspec import Meta

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1

#: A user's version, as far as PostgreSQL's integer goes.
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class UserPath(msgspec.Struct, frozen=True):
    """The path of one user."""

    id: Annotated[int, Meta(ge=1, le=HIGHEST_ID, description="The user's id.")]
