"""`tandem token`: an access token for an instance that requires one."""

from datetime import timedelta
from pathlib import Path

import click

from tandem.http.routes import Scope
from tandem.http.token_keys import private_key, read_keys
from tandem.http.tokens import new_token

_SCOPES = click.Choice([str(scope) for scope in Scope])


@click.command
@click.option("--key-file", type=click.Path(path_type=Path), required=True, help="The private key, as PEM.")
@click.option("--scope", "scopes", type=_SCOPES, multiple=True, required=True, help="May be repeated.")
@click.option("--hours", type=click.FloatRange(0.01, 8_784), default=8.0, show_default=True)
@click.option("--subject", default="", help="Whom it is for; for people who read the token.")
@click.option("--audience", default="tandem", show_default=True, help="As TOKEN_AUDIENCE of the instances.")
def token(key_file: Path, scopes: tuple[str, ...], hours: float, subject: str, audience: str) -> None:
    """Print a new access token. It cannot be revoked before it expires: keep it short-lived.

    `command` may create users, `query` may read all of them, `feed` may follow all events, `operator` may see
    runs, statistics, metrics and dead letters.
    """
    key = read_keys(key_file, private_key)
    claims = {"aud": audience, "sub": subject} if subject else {"aud": audience}
    click.echo(new_token(key, map(Scope, scopes), timedelta(hours=hours), **claims))
