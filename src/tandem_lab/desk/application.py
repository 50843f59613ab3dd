"""The desk as a program: its routes, whom it lets in, and its end."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from tandem.app.authentication import authenticator_of
from tandem.app.stop import StopRequest
from tandem.config import load_settings
from tandem.http.application import Application
from tandem.http.authentication import Authenticator, SameSiteOnly
from tandem.http.requests import RawRequest, Request, Response
from tandem.http.routes import Route, Scope
from tandem.http.serving import serve
from tandem.observability.logs import set_up_logs
from tandem_lab.desk import PATH
from tandem_lab.desk.catalogue import Fault, Preset, faults_of, presets_of
from tandem_lab.desk.race import RaceController
from tandem_lab.race.results import Race
from tandem_lab.strikes import Parts

DRAIN = timedelta(seconds=3)
LOCAL = "127.0.0.1"


class Lab(msgspec.Struct, frozen=True):
    """All that the desk knows and can do."""

    faults: list[Fault]
    presets: list[Preset]
    load: Any = None
    struck: list[Any] = []
    peers: list[str] = []
    race: Race | None = None
    limits: dict[str, int] = {}


class DeskController:
    """Says what there is at the desk."""

    def __init__(self, parts: Parts, races: RaceController) -> None:
        self._parts = parts
        self._races = races

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("GET", PATH, self.show, "What can be done here", responses={200: Lab}, tag="lab")]

    async def show(self, _: Request[Any, Any, Any]) -> Response:
        """Faults, presets, and what is going on."""
        faults = faults_of(self._parts)
        lab = Lab(faults, presets_of(faults), peers=self._races.peers, race=self._races.race)
        return Response(200, msgspec.json.encode(lab))


class Guard:
    """Lets in who may operate the stack: no page of another site, and by a token where instances want one."""

    def __init__(self, authenticator: Authenticator, host_names: list[str]) -> None:
        self._authenticators = (SameSiteOnly(host_names), authenticator)

    def authorize(self, request: RawRequest, scope: Scope | None) -> None:
        """See `Authenticator`."""
        for authenticator in self._authenticators:
            authenticator.authorize(request, scope)


def guard_of(environ: dict[str, str]) -> Guard:
    """As the instances have it, which run in the same environment.

    Raises:
        SettingsError: that environment asks for keys that cannot be used.
    """
    # Of the settings, only those of its rights concern the desk.
    wanted = {**environ, "POSTGRES_URL": "none", "MONGODB_URL": "none", "HOST": LOCAL}
    settings = load_settings(wanted)
    names = [name.strip() for name in settings.allowed_hosts.split(",") if name.strip()]
    return Guard(authenticator_of(settings), names)


async def serve_desk(data_dir: Path, port: int) -> None:
    """Serve the desk of the stack on this data folder until SIGTERM or SIGINT."""
    set_up_logs("desk", "info", "text")
    stop = StopRequest()
    stop.wait_for_it()
    parts, races = Parts(data_dir), RaceController(data_dir)
    routes = [*DeskController(parts, races).routes(), *races.routes()]
    app = Application(routes, authenticator=guard_of(dict(os.environ)))
    try:
        await serve(app, (LOCAL, port), stop=stop.wait, drain=DRAIN)
    finally:
        await races.end()
