"""A running stack of several hosts: who is what there, and faults."""

import asyncio
from collections.abc import Mapping, Sequence

from tandem_stack.hosts.faults import HostFaults
from tandem_stack.hosts.roles import Roles, roles_of_postgres
from tandem_stack.status import CellStatus, HostStatus, read_status
from up_process import Up
from waiting import eventually


class Hosts:
    """The hosts of a stack, and what may happen to them."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.faults = HostFaults(up.data_dir)
        self._sent = 0
        self.acknowledged: list[int] = []

    @property
    def cells(self) -> Sequence[CellStatus]:
        """All cells, as the stack has published them last."""
        status = read_status(self.up.data_dir)
        return status.cells if status else ()

    @property
    def databases(self) -> Sequence[HostStatus]:
        """The database hosts of all cells."""
        return [host for cell in self.cells for host in cell.hosts if "mongodb" in host.pids]

    def roles(self) -> Mapping[str, Roles]:
        """The role of PostgreSQL on each host that answers."""
        return asyncio.run(roles_of_postgres(self.databases))

    def primary(self) -> HostStatus:
        """The host whose PostgreSQL is the primary, as soon as there is one with a synchronous standby."""

        def find() -> HostStatus | None:
            roles = self.roles()
            found = [host for host in self.databases if roles.get(host.name) is Roles.PRIMARY]
            safe = Roles.SYNCHRONOUS_STANDBY in roles.values()
            return found[0] if len(found) == 1 and safe else None

        return eventually(find, "a primary with a synchronous standby")

    def create(self) -> int:
        """Create a user through the load balancer, as soon as that is possible; returns the id."""

        def create() -> int | None:
            self._sent += 1
            status, user = self.up.post_user(f"user-{self._sent}@example.org", seed="hosts")
            return user["id"] if status == 201 else None

        self.acknowledged.append(eventually(create, "a user is acknowledged"))
        return self.acknowledged[-1]

    def all_are_served(self) -> bool:
        """Whether every user that was acknowledged can be read through the load balancer."""
        return all(self.up.get(f"/api/v1/user-query/{user}")[0] == 200 for user in self.acknowledged)

    def happen(self, fault: str, host: str, *figures: float) -> None:
        """Let a fault of `HostFaults` happen."""
        asyncio.run(getattr(self.faults, fault)(host, *figures))
