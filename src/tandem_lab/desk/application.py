"""The desk as a program: its routes, whom it lets in, and its end."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

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
from tandem_lab.desk.catalogue import Fault, Preset, presets_of
from tandem_lab.desk.faults_controller import FaultsController
from tandem_lab.desk.happenings import Teller
from tandem_lab.desk.load_controller import LIMITS, Load, LoadController
from tandem_lab.desk.race import RaceController
from tandem_lab.desk.striking import Striker, Struck
from tandem_lab.hosts import Hosts
from tandem_lab.race.results import Race
from tandem_lab.strikes import Parts

DRAIN = timedelta(seconds=3)
LOCAL = "127.0.0.1"


class Controller(Protocol):
    """What answers some routes."""

    def routes(self) -> list[Route]:
        """Its routes."""


class Lab(msgspec.Struct, frozen=True):
    """All that the desk knows and can do."""

    faults: list[Fault]
    presets: list[Preset]
    load: Load | None
    struck: list[Struck]
    limits: dict[str, int]
    peers: list[str]
    race: Race | None


class DeskController:
    """Says what there is at the desk."""

    def __init__(self, striker: Striker, loads: LoadController, races: RaceController) -> None:
        self._striker = striker
        self._loads = loads
        self._races = races

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("GET", PATH, self.show, "What can be done here", responses={200: Lab}, tag="lab")]

    async def show(self, _: Request[Any, Any, Any]) -> Response:
        """Faults, presets, and what is going on."""
        faults, races = self._striker.faults(), self._races
        struck = list(self._striker.struck)
        lab = Lab(faults, presets_of(faults), self._loads.load, struck, LIMITS, races.peers, races.race)
        return Response(200, msgspec.json.encode(lab))


class Guard:
    """Lets in who may operate the stack: no page of another site, and by a token where instances want one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """As the instances have it, which run in the same environment.

        Raises:
            SettingsError: that environment asks for keys that cannot be used.
        """
        # Of the settings, only those of rights concern the desk.
        settings = load_settings({**environ, "POSTGRES_URL": "none", "MONGODB_URL": "none", "HOST": LOCAL})
        names = (name.strip() for name in settings.allowed_hosts.split(","))
        self._authenticators: list[Authenticator] = [SameSiteOnly(filter(None, names))]
        self._authenticators.append(authenticator_of(settings))

    def authorize(self, request: RawRequest, scope: Scope | None) -> None:
        """See `Authenticator`."""
        for authenticator in self._authenticators:
            authenticator.authorize(request, scope)


async def serve_desk(data_dir: Path, port: int) -> None:
    """Serve the desk of the stack on this data folder until SIGTERM or SIGINT.

    Raises:
        SettingsError: see `Guard`.
        ListenError: the port cannot be had.
    """
    set_up_logs("desk", "info", "text")
    stop = StopRequest()
    stop.wait_for_it()
    parts = Parts(data_dir)
    teller = Teller(parts)
    striker = Striker(parts, lambda: Hosts(data_dir), teller)
    loads, races = LoadController(parts), RaceController(data_dir, parts, teller)
    shown = DeskController(striker, loads, races)
    controllers: list[Controller] = [shown, FaultsController(striker), loads, races]
    routes = [route for controller in controllers for route in controller.routes()]
    app = Application(routes, authenticator=Guard(os.environ))
    async with striker.open(), loads.open(), races.open():
        await serve(app, (LOCAL, port), stop=stop.wait, drain=DRAIN)
