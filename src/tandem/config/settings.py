"""The settings of one instance, read from environment variables and checked once, at the start."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class SettingsError(Exception):
    """An environment variable is missing or has a value that cannot be used."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What one instance needs to know. The name in the environment is the field's name in capitals."""

    postgres_url: str
    mongodb_url: str
    app_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] = "STANDALONE"
    host: str = "127.0.0.1"
    port: Port = 8080

    # The command side: how many creates may wait, and how many go to PostgreSQL in one transaction.
    max_waiting_commands: Annotated[int, Meta(ge=1, le=1_000_000)] = 5_000
    max_batch: Annotated[int, Meta(ge=1, le=5_000)] = 500

    # The projection: how many committed users one instance holds in memory on their way to MongoDB.
    # What goes beyond stays in PostgreSQL, unowned, and is claimed when there is room again.
    max_in_projection: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000

    # An instance renews its lease every second; when it ends, others take its pending users.
    lease_seconds: Annotated[float, Meta(ge=2, le=3_600)] = 5.0
    # The longest that one call to a database may take before the connection is given up.
    database_timeout_seconds: Seconds = 10.0
    # How long an instance that was told to stop may take to finish what it has in hand.
    drain_seconds: Seconds = 20.0
    # `/health/flow` answers 503 when the oldest pending user is older than this.
    max_pending_age_seconds: Seconds = 30.0
    # Start although the servers are set to lose acknowledged writes in a crash (fsync off and the like).
    allow_unsafe_durability: bool = False

    # Public keys; where they are named, requests need a token signed with one of them.
    token_keys_file: str = ""
    # Whom tokens must be made for, and by whom; empty: by whoever has a key.
    token_audience: Annotated[str, Meta(min_length=1)] = "tandem"  # noqa: S105 - no secret
    token_issuer: str = ""
    # Listen without tokens on an address that others may reach.
    allow_unauthenticated: bool = False
    # Without tokens: the host names, with commas between them, by which browsers may ask besides localhost.
    allowed_hosts: str = ""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from `environ`.

    Raises:
        SettingsError: names the variable, what is wrong with it, and what would be right.
    """
    wanted = {field.encode_name for field in msgspec.structs.fields(Settings)}
    given = {name: value for name, value in environ.items() if name in wanted}
    for name in ("POSTGRES_URL", "MONGODB_URL"):
        if not given.get(name):
            msg = f"{name} is not set. Point it at your server, or run the whole stack with `tandem up`."
            raise SettingsError(msg)
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        # msgspec ends its message with the place: "... - at `$.PORT`".
        what, _, where = str(error).partition(" - at `$.")
        msg = f"{where.rstrip('`') or 'The environment'}: {what}."
        raise SettingsError(msg) from None
