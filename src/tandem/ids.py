"""Ids of users and of all other aggregates."""

from typing import Annotated

from msgspec import Meta

# Ids stay below 2^53, so that a JavaScript number holds each exactly.
HIGHEST_ID = 2**53 - 1

Id = Annotated[int, Meta(ge=1, le=HIGHEST_ID)]

#: A version, as far as PostgreSQL's integer goes.
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
