"""`tandem serve`: one instance."""

import os

import click
import uvloop

from tandem.app import serve_instance
from tandem.config import load_settings
from tandem.observability.logs import set_up_logs


@click.command()
def serve() -> None:
    """Run one instance against POSTGRES_URL and MONGODB_URL.

    APP_ID (STANDALONE) names it, PORT (8080) is where it answers, HOST (127.0.0.1) on which address.
    """
    settings = load_settings(os.environ)
    set_up_logs(settings.app_id, settings.log_level, settings.log_format)

    def say_where(port: int) -> None:
        click.echo(f"{settings.app_id} answers at http://{settings.host}:{port}")

    uvloop.run(serve_instance(settings, say_where))
