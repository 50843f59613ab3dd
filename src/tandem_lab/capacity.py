"""How many users per second a cell carries, how many it holds, and how many cells a wanted load needs.

From what a user costs: CPU of each component, bytes written to logs and bytes stored. The rate follows by the
utilization law (see `saturation`); the storage by division. A command needs its own cell only, so K cells are
taken to carry K times as much as one. How far from that they are is measured, by `tandem scale --cells`.
"""

from collections.abc import Mapping, Sequence
from math import ceil, isfinite
from statistics import median

import msgspec

from tandem_lab.saturation import predicted_capacity
from tandem_lab.scalability import Curve, fit_contention

#: Beyond so many cells, reads by e-mail should ask a directory instead of every cell (docs/hosts.md).
MOST_CELLS_FOR_EMAIL = 16
DATABASES = ("postgres", "mongodb")
#: A larger error says only that nothing can be predicted.
LARGEST_ERROR = 0.9


class Costs(msgspec.Struct, frozen=True):
    """What one user costs from its creation until it is SYNCRONIZED, and how that was found out."""

    #: CPU us of `instances`, `postgres`, `mongodb` and of the load balancer, `haproxy` or `nginx`.
    cpu_us: Mapping[str, float]
    #: Of that of the instances: their event loops, each of which has one core at most.
    event_loop_us: float
    #: Bytes written to PostgreSQL's log and to MongoDB's journal.
    logged_bytes: Mapping[str, float]
    #: Bytes that stay in one copy of each database, indexes included.
    stored_bytes: Mapping[str, float]
    #: The relative error of a predicted rate, if it is known, and what it is, in a few words.
    error: float | None
    error_is: str
    #: What was measured, and when.
    source: str


class Machine(msgspec.Struct, frozen=True):
    """A host of a cell. Both databases are on one of them (copies on others), and instances on more."""

    cores: int = 8
    #: For one copy of both databases, without what must stay free.
    storage_bytes: float = 1.5e12
    #: How busy the cores are at the planned rate. The rest is for peaks, clearing up, backups, a lost host.
    busy: float = 0.6


class CellPlan(msgspec.Struct, frozen=True):
    """What one cell carries and holds."""

    users_per_second: float
    users: float
    #: What that rate needs: instances, hosts for them, and bytes per second written to the databases' disk.
    instances: int
    instance_hosts: int
    written_bytes_per_second: float


class Plan(msgspec.Struct, frozen=True):
    """What a wanted load needs."""

    cell: CellPlan
    cells: int
    #: The number of cells if a cell carries more or less than predicted, by the error.
    least: int
    most: int
    is_storage_bound: bool
    #: One copy of both databases, of all cells together.
    stored_bytes: float
    balancer_cores: float


def plan_cell(costs: Costs, machine: Machine) -> CellPlan:
    """What a cell of these machines carries, and what it holds.

    Raises:
        ValueError: a cost that is needed is missing, or no positive number.
    """
    databases = {name: costs.cpu_us.get(name, 0.0) for name in DATABASES}
    of_instances, loop = costs.cpu_us.get("instances", 0.0), costs.event_loop_us
    stored = [costs.stored_bytes.get(name, 0.0) for name in DATABASES]
    if not all(isfinite(each) and each > 0 for each in (*databases.values(), of_instances, loop, *stored)):
        raise ValueError("A plan needs the CPU and the stored bytes of a user, in both databases.")
    rate = machine.busy * predicted_capacity(databases, machine.cores, {})
    busy_cores = rate / 1e6 / machine.busy
    return CellPlan(
        users_per_second=rate,
        users=machine.storage_bytes / sum(stored),
        instances=ceil(busy_cores * loop),
        instance_hosts=ceil(busy_cores * of_instances / machine.cores),
        written_bytes_per_second=rate * (sum(costs.logged_bytes.values()) + sum(stored)),
    )


def plan(costs: Costs, machine: Machine, users_per_second: float, users: float) -> Plan:
    """What it takes to create so many users per second, and to keep so many.

    Raises:
        ValueError: see `plan_cell`.
    """
    cell = plan_cell(costs, machine)
    error = min(costs.error or 0.0, LARGEST_ERROR)
    holding = users / cell.users
    found, least, most = (
        max(1, ceil(max(holding, users_per_second / (cell.users_per_second * (1 + by)))))
        for by in (0.0, error, -error)
    )
    return Plan(
        cell=cell,
        cells=found,
        least=least,
        most=most,
        is_storage_bound=holding > users_per_second / cell.users_per_second,
        stored_bytes=users * sum(costs.stored_bytes.values()),
        balancer_cores=users_per_second * _balancer_us(costs) / 1e6 / machine.busy,
    )


def _balancer_us(costs: Costs) -> float:
    return max(costs.cpu_us.get("haproxy", 0.0), costs.cpu_us.get("nginx", 0.0))


class Prediction(msgspec.Struct, frozen=True):
    """What the law said of N cells by what fewer carried, and what they carried then, in users per second."""

    cells: int
    from_cells: tuple[int, ...]
    predicted: float
    measured: float
    curve: Curve

    @property
    def error(self) -> float:
        """How far the prediction was off, as a share of what was measured."""
        return abs(self.predicted / self.measured - 1)


def predict(throughputs: Mapping[int, Sequence[float]]) -> Prediction | None:
    """Predict the most cells from the two fewest, by repeats of each; None: no others were measured.

    Raises:
        ValueError: see `fit_contention`.
    """
    numbers = sorted(throughputs)
    known, others = tuple(numbers[:2]), numbers[2:]
    if not others:
        return None
    curve, most = fit_contention({n: throughputs[n] for n in known}), others[-1]
    return Prediction(most, known, curve.throughput(most), median(throughputs[most]), curve)
