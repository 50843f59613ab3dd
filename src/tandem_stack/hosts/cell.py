"""One cell: its hosts, what runs on each, and how its databases and instances are started."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tandem_stack import postgres
from tandem_stack.data_folder import DataFolder, Memory
from tandem_stack.errors import StackError
from tandem_stack.host import Host
from tandem_stack.hosts.etcd import Etcd
from tandem_stack.hosts.patroni import POSTGRES_PORT, Patroni
from tandem_stack.hosts.patroni import SETTINGS as SMALL
from tandem_stack.hosts.roles import Roles, roles_of_postgres
from tandem_stack.instance import DatabaseUrls, instance, migrate
from tandem_stack.mongodb import MongoDB
from tandem_stack.postgres import Postgres
from tandem_stack.services import Service
from tandem_stack.waiting import until

MONGODB_PORT, INSTANCE_PORT = 27017, 8080
# A quarter of a gigabyte is the least that mongod takes.
SMALL_MONGODB = {"--wiredTigerCacheSizeGB": "0.25", "--oplogSize": "256"}
PRIMARY_SECONDS = 180.0

#: Starts services at the same time, and returns when all are ready.
Start = Callable[[Iterable[Service]], Awaitable[None]]
#: Shows a new state of something.
Report = Callable[[str, str], None]


@dataclass(frozen=True)
class Cell:
    """A cell. `everyone` is the range of addresses that its databases let in, with a password."""

    folder: DataFolder
    memory: Memory
    number: int
    database_hosts: Sequence[Host]
    instance_hosts: Sequence[Host]
    everyone: str
    synchronous: bool

    @property
    def hosts(self) -> Sequence[Host]:
        """All its hosts."""
        return [*self.database_hosts, *self.instance_hosts]

    @property
    def is_replicated(self) -> bool:
        """Whether it has three database hosts, of which one may be lost."""
        return len(self.database_hosts) > 1

    @property
    def owner(self) -> DatabaseUrls:
        """The URLs for who migrates."""
        return self._urls(postgres.OWNER)

    @property
    def service(self) -> DatabaseUrls:
        """The URLs for instances."""
        return self._urls(postgres.SERVICE)

    async def start_databases(self, start: Start, report: Report) -> None:
        """Start both databases, make their roles, and migrate them.

        Raises:
            StackError: something of it has failed; says what.
        """
        await (self._start_replicated(start) if self.is_replicated else self._start_single(start, report))
        name = f"migration of cell {self.number}"
        report(name, "running")
        await migrate(self.folder, f"c{self.number}-migrate", self.owner, CELL=str(self.number))
        report(name, "done")

    async def start_instances(self, start: Start, cells_file: Path) -> None:
        """Start the instances, which read in `cells_file` which cells there are.

        Raises:
            StackError: one did not become ready.
        """
        environment = {
            "CELL": str(self.number),
            "CELLS_FILE": str(cells_file),
            # Only this machine reaches the hosts, as it is with 127.0.0.1.
            "ALLOW_UNAUTHENTICATED": "true",
            "REQUIRE_SYNCHRONOUS_STANDBY": str(self.is_replicated and self.synchronous).lower(),
        }
        await start(
            instance(self.folder.of(host), host.name, INSTANCE_PORT, self.service, **environment)
            for host in self.instance_hosts
        )

    def postmaster(self, host: Host) -> int | None:
        """The process id of the PostgreSQL that Patroni runs on a host; None while it is down."""
        return next((each.postmaster for each in self._patronis if each.folder.host is host), None)

    async def _start_single(self, start: Start, report: Report) -> None:
        (host,) = self.database_hosts
        server = Postgres(self.folder.of(host), self.memory, POSTGRES_PORT, SMALL, self.everyone)
        (mongodb,) = self._mongodbs
        report(server.title, "initialising")
        await server.initialise()
        await mongodb.initialise()
        await start([server.service, mongodb.service])
        await server.make_roles()
        await mongodb.make_roles()

    async def _start_replicated(self, start: Start) -> None:
        hosts = self.database_hosts
        members = [Etcd(self.folder.of(host), self.number, hosts) for host in hosts]
        await start(member.service for member in members)
        await members[0].lock(self.memory)
        for patroni in self._patronis:
            patroni.prepare()
        for mongodb in self._mongodbs:
            await mongodb.initialise()
        services = [server.service for server in self._patronis]
        await start([*services, *(server.service for server in self._mongodbs)])
        server = services[0].program
        # After a loss of all hosts, Patroni chooses a primary when the lease of the last one has run out.
        if not await until(self._takes_commits, PRIMARY_SECONDS):
            what = f"Cell {self.number} has no PostgreSQL that takes commits after {PRIMARY_SECONDS:.0f} s"
            raise StackError(f"{what}. The reason is in {server.log}, or in the logs of its other hosts.")
        superuser = self._postgres_url("postgres", "postgres")
        await postgres.make_roles(superuser, self.memory, server, sees_standbys=True)
        await self._mongodbs[0].make_roles()

    async def _takes_commits(self) -> bool:
        """Whether there is a primary, and a standby that commits wait for if they are to."""
        roles = set((await roles_of_postgres(self.database_hosts)).values())
        return roles >= {Roles.PRIMARY} | ({Roles.SYNCHRONOUS_STANDBY} if self.synchronous else set())

    @cached_property
    def _patronis(self) -> Sequence[Patroni]:
        return [
            Patroni(
                self.folder.of(host),
                self.memory,
                self.number,
                self.database_hosts,
                self.everyone,
                self.synchronous,
            )
            for host in self.database_hosts
        ]

    @cached_property
    def _mongodbs(self) -> Sequence[MongoDB]:
        members = [host.address for host in self.database_hosts]
        return [
            MongoDB(self.folder.of(host), self.memory, MONGODB_PORT, members=members, settings=SMALL_MONGODB)
            for host in self.database_hosts
        ]

    def _postgres_url(self, role: str, database: str) -> str:
        """With several hosts, whoever connects looks for the one that takes commands."""
        servers = ",".join(f"{host.address}:{POSTGRES_PORT}" for host in self.database_hosts)
        primary = "?target_session_attrs=read-write" if self.is_replicated else ""
        return f"{postgres.url_of(self.memory, role, servers)}/{database}{primary}"

    def _urls(self, role: str) -> DatabaseUrls:
        return DatabaseUrls(self._postgres_url(role, postgres.DATABASE), self._mongodbs[0].url(role))
