"""The options of `tandem up --hosts`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from tandem_stack.errors import StackError
from tandem_stack.hosts.desired import Desired, new_cells


@dataclass(frozen=True, kw_only=True)
class HostsOptions:
    """The options of `tandem up --hosts`. What is None is as before, or the default in a new data folder."""

    data_dir: Path
    port: int = 8080
    cells: int | None = None
    hosts_per_cell: Literal[1, 3] | None = None
    instance_hosts: int | None = None
    cpu_per_cell: float | None = None
    asynchronous: bool = False
    beside: bool = True

    def desired(self, before: Desired | None) -> Desired:
        """The cells that there are to be.

        Raises:
            StackError: it is not what the data folder has, and cannot become so.
        """
        if before is None:
            cells = self.cells or 1
            per_cell = self.hosts_per_cell or (3 if cells == 1 else 1)
            before = new_cells(cells, per_cell, self.instance_hosts or (2 if per_cell == 3 else 1))
            before = msgspec.structs.replace(before, synchronous=not self.asynchronous)
        elif self._asks_for_others(before):
            msg = (
                f"The cells in {self.data_dir} are others. Leave --cells, --hosts-per-cell, --instance-hosts "
                "and --asynchronous away: they are for a new data folder. `tandem cells add` adds a cell."
            )
            raise StackError(msg)
        return msgspec.structs.replace(before, cpu_per_cell=self.cpu_per_cell or before.cpu_per_cell)

    def _asks_for_others(self, before: Desired) -> bool:
        def differs(asked: int | None, found: Iterable[int]) -> bool:
            return asked is not None and {asked} != set(found)

        return (
            differs(self.cells, [len(before.cells)])
            or differs(self.hosts_per_cell, (cell.database_hosts for cell in before.cells))
            or differs(self.instance_hosts, (cell.instance_hosts for cell in before.cells))
            or (self.asynchronous and before.synchronous)
        )
