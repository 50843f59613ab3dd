"""The settings of one instance, read from environment variables and checked once, at the start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tandem.errors import TandemError
from tandem.ids import HIGHEST_CELL

AppId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
HttpUrl = Annotated[str, Meta(pattern="^(https?://.+)?$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "text"]


class SettingsError(TandemError):
    """An environment variable is missing or has a value that cannot be used."""


def _is(description: str, **bounds: Any) -> Meta:
    """What a setting is, for docs/reference/settings.md (`make docs`), and the bounds of its value."""
    return Meta(description=description, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What one instance needs to know. The name in the environment is the field's name in capitals."""

    postgres_url: Annotated[str, _is("PostgreSQL 18 or newer, as the role `tandem_service`")]
    mongodb_url: Annotated[str, _is("MongoDB 5 or newer, a replica set even with one node")]
    app_id: Annotated[AppId, _is("the instance's name; each needs its own")] = "STANDALONE"
    host: Annotated[str, _is("the address that it listens on")] = "127.0.0.1"
    port: Annotated[Port, _is("the port that it listens on")] = 8080

    cell: Annotated[
        int,
        _is(
            "which of several cells this is: ids then end with that number; -1: it is none",
            ge=-1,
            le=HIGHEST_CELL,
        ),
    ] = -1
    cells_file: Annotated[
        str, _is("a JSON file that lists all cells, for those who read from any of them; or empty")
    ] = ""

    max_waiting_commands: Annotated[Count, _is("commands that wait for PostgreSQL; more get a 503")] = 5_000
    require_if_match: Annotated[
        bool, _is("refuse updates and deletions that do not name a version by `If-Match` (428)")
    ] = False
    max_batch: Annotated[
        int, _is("users in one transaction, and in one write to MongoDB", ge=1, le=5_000)
    ] = 500
    max_in_projection: Annotated[
        Count, _is("users that wait in memory for MongoDB; more wait in PostgreSQL until there is room")
    ] = 10_000

    lease_seconds: Annotated[
        float, _is("how soon others take over the users of an instance that died", ge=2, le=3_600)
    ] = 5.0
    database_timeout_seconds: Annotated[
        Seconds, _is("the longest call to a database, before the connection is given up")
    ] = 10.0
    drain_seconds: Annotated[
        Seconds, _is("how long requests in flight, then the flow, may take after SIGTERM")
    ] = 20.0
    max_pending_age_seconds: Annotated[
        Seconds, _is("`/health/flow` answers 503 when the oldest pending user is older")
    ] = 30.0
    event_archive_dir: Annotated[
        str, _is("the folder of events that `tandem events archive` has moved into files; or empty")
    ] = ""
    allow_unsafe_durability: Annotated[
        bool, _is("start although PostgreSQL is set to lose acknowledged users in a crash (`fsync` off)")
    ] = False

    require_synchronous_standby: Annotated[
        bool,
        _is("refuse commands while PostgreSQL has no synchronous standby; at the start, PostgreSQL itself"),
    ] = False

    scrub_cpu_percent: Annotated[
        float,
        _is(
            "the share of a processor that comparing both stores may take, all the time; 0: none",
            ge=0,
            le=100,
        ),
    ] = 2.0
    scrub_repair: Annotated[bool, _is("have what differs then repaired, too")] = False

    log_level: Annotated[
        LogLevel, _is("how much is logged; at `debug` a line for each request, and what errors say")
    ] = "info"
    log_format: Annotated[LogFormat, _is("JSON lines or text; `auto`: text for a terminal")] = "auto"

    traces_url: Annotated[
        HttpUrl, _is("where spans go (OTLP over HTTP), like `http://collector:4318/v1/traces`; or empty")
    ] = ""
    traces_ratio: Annotated[
        float, _is("the share of requests that is sampled, besides those that ask for it", ge=0, le=1)
    ] = 0.01

    token_keys_file: Annotated[
        str, _is("public keys; where they are named, requests need a token signed with one of them")
    ] = ""
    token_audience: Annotated[str, _is("the audience that tokens must name", min_length=1)] = "tandem"  # noqa: S105
    token_issuer: Annotated[str, _is("the issuer that tokens must name; empty: any that has a key")] = ""
    allow_unauthenticated: Annotated[
        bool, _is("listen without tokens on an address that others may reach")
    ] = False
    allowed_hosts: Annotated[
        str, _is("without tokens: names besides localhost by which browsers may ask, with commas between")
    ] = ""


#: Settings that may hold a password, so that a file may hold them instead: `POSTGRES_URL_FILE` and so on.
SECRETS = ("POSTGRES_URL", "MONGODB_URL", "TRACES_URL")
_MOST_BYTES = 64 * 1024


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from `environ`, and secrets from the files that it names.

    Raises:
        SettingsError: names the variable, what is wrong with it, and what would be right.
    """
    wanted = {field.encode_name for field in msgspec.structs.fields(Settings)}
    given = {name: value for name, value in environ.items() if name in wanted}
    given |= {name: _secret(name, environ) for name in SECRETS if environ.get(f"{name}_FILE")}
    for name in ("POSTGRES_URL", "MONGODB_URL"):
        if not given.get(name):
            msg = (
                f"{name} is not set. Point it at your server, or {name}_FILE at a file that holds it, "
                "or run the whole stack with `tandem up`."
            )
            raise SettingsError(msg)
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        # msgspec ends its message with the place: "... - at `$.PORT`".
        what, _, where = str(error).partition(" - at `$.")
        msg = f"{where.rstrip('`') or 'The environment'}: {what}."
        raise SettingsError(msg) from None
    if settings.cells_file and settings.cell < 0:
        msg = "CELLS_FILE lists all cells, and CELL does not say which of them this is: set it."
        raise SettingsError(msg)
    return settings


def read_private(variable: str, path: Path, most_bytes: int) -> bytes:
    """What a file holds that `variable` names: at most one byte more than `most_bytes`.

    Raises:
        SettingsError: it cannot be read, or others may read or change it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(most_bytes + 1)
    except OSError as error:
        msg = f"{variable}: {path} cannot be read ({error.strerror}). Name a file that this account may read."
        raise SettingsError(msg) from None
    if mode & 0o007:
        msg = f"{variable}: others may read or change {path} (mode {mode & 0o777:04o}). Run: chmod o= {path}"
        raise SettingsError(msg)
    return content


def _secret(name: str, environ: Mapping[str, str]) -> str:
    """The content of the file that `environ` names for this setting, without the end of its line.

    The group may read it, since that is how Kubernetes hands secrets to an account that is not root.
    """
    variable = f"{name}_FILE"
    path = Path(environ[variable])
    if environ.get(name):
        msg = f"{name} and {variable} are both set. Take one of them away."
        raise SettingsError(msg)
    content = read_private(variable, path, _MOST_BYTES)
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(content) > _MOST_BYTES or not secret.isprintable():
        msg = f"{variable}: {path} is to hold one line, the value of {name}, and nothing else."
        raise SettingsError(msg)
    return secret
