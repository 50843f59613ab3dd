"""The path of a request that names a user."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tandem.ids import HIGHEST_ID


class UserPath(msgspec.Struct, frozen=True):
    """The path of one user."""

    id: Annotated[int, Meta(ge=1, le=HIGHEST_ID, description="The user's id.")]
