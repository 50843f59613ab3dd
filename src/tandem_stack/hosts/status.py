"""The status of a stack of several hosts."""

from collections.abc import Collection, Mapping

from tandem_stack.host import THIS_MACHINE, Host
from tandem_stack.hosts.cell import INSTANCE_PORT, Cell
from tandem_stack.hosts.desired import Desired
from tandem_stack.ports import LOCAL
from tandem_stack.status import (
    CellStatus,
    HostStatus,
    InstanceStatus,
    LoadBalancerStatus,
    ServerStatus,
    Status,
)
from tandem_stack.supervisor import Supervisor

#: By the host's name, and that of the service.
Supervisors = Mapping[str, Mapping[str, Supervisor]]


def status_of(
    port: int,
    cells: Mapping[int, Cell],
    desired: Desired | None,
    supervisors: Supervisors,
    dead: Collection[str],
) -> Status:
    """The status of all cells, with HAProxy on `port`. `dead`: the hosts that were killed on purpose."""

    def pids(cell: Cell, host: Host) -> dict[str, int | None]:
        parts = supervisors.get(host.name, {})
        found = {name: part.pid for name, part in parts.items()}
        return found | ({"postgres": cell.postmaster(host)} if "patroni" in parts else {})

    def status(cell: Cell) -> CellStatus:
        wanted = desired.by_number.get(cell.number) if desired else None
        hosts = (
            HostStatus(host.name, host.address, host.namespace, host.name in dead, pids(cell, host))
            for host in cell.hosts
        )
        owner = cell.owner
        draining = bool(wanted and wanted.draining)
        return CellStatus(cell.number, draining, owner.postgres, owner.mongodb, tuple(hosts))

    all_cells = tuple(status(cell) for cell in cells.values())
    haproxy = supervisors.get(THIS_MACHINE.name, {}).get("haproxy")
    only = all_cells[0] if len(all_cells) == 1 else None
    return Status(
        url=f"http://{LOCAL}:{port}",
        instances=tuple(
            InstanceStatus(host.name, INSTANCE_PORT, host.pids["instance"], host.address)
            for cell in all_cells
            for host in cell.hosts
            if "instance" in host.pids
        ),
        postgres=ServerStatus(only.postgres_url if only else None, None),
        mongodb=ServerStatus(only.mongodb_url if only else None, None),
        load_balancer=LoadBalancerStatus(port, haproxy.pid if haproxy else None),
        cells=all_cells,
        restarts={
            each.service.title: each.restarts for host in supervisors.values() for each in host.values()
        },
    )
