"""The whole stack on several hosts: its network, cells and HAProxy, and what others ask of it meanwhile."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from tandem_stack.beside import installed, start_beside
from tandem_stack.data_folder import DataFolder, write_private
from tandem_stack.errors import StackError
from tandem_stack.host import THIS_MACHINE, Host
from tandem_stack.hosts.balancer import HAProxy
from tandem_stack.hosts.cell import Cell
from tandem_stack.hosts.checks import check
from tandem_stack.hosts.control import Control
from tandem_stack.hosts.desired import Desired, DesiredCell, read_desired, write_desired
from tandem_stack.hosts.making import HostMaker, remove_leftovers
from tandem_stack.hosts.options import HostsOptions
from tandem_stack.hosts.status import status_of
from tandem_stack.ports import LOCAL
from tandem_stack.processes import Process, kill_children, reap
from tandem_stack.services import Service
from tandem_stack.status import Status, remove_status, write_status
from tandem_stack.supervisor import Report, Supervisor, end_all
from tandem_stack.waiting import together

CELLS_FILE = "cells-for-instances.json"
# Instances look at the file each second.
SECONDS_TO_SEE = 2.0
SECONDS_BETWEEN_LOOKS = 1.0


class HostsStack:
    """All cells and HAProxy. Call `start`, later `stop`, and `clean_up` when every process has ended."""

    def __init__(self, folder: DataFolder, options: HostsOptions, report: Report) -> None:
        self._folder = folder
        self._options = options
        self._tell = report
        self._maker = HostMaker(folder, report)
        self._control = Control(folder.path, self._carry_out)
        self._beside = installed() if options.beside else []
        self._balancer = HAProxy(folder, options.port, self._beside)
        self._cells: dict[int, Cell] = {}
        self._running: set[int] = set()
        self._known: Desired | None = None
        self._dead: set[str] = set()
        # By the host's name, and that of the service.
        self._supervisors: dict[str, dict[str, Supervisor]] = {}
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._published: Status | None = None

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
        remove_leftovers(self._folder)
        desired = self._options.desired(read_desired(self.data_dir))
        check(self._folder, self._options.port, desired)
        write_desired(self.data_dir, desired)
        self._watch()
        self._maker.make_network()
        await self._control.open()
        async with together() as group:
            group.create_task(self._reconcile())
            group.create_task(start_beside(self._beside, self._folder, self._start, self._report))

    async def stop(self, hurry: asyncio.Event) -> None:
        """End everything: HAProxy, then the instances, the databases, and what Patroni needs to end them."""
        self._control.close()
        for cell in self._cells.values():
            for host in cell.hosts:
                with suppress(StackError):
                    self._maker.network.mend(host)
        everything = [part for parts in self._supervisors.values() for part in parts.items()]
        databases = {"patroni", "postgres", "mongodb"}
        order: list[Callable[[str], bool]] = [
            lambda name: name == "haproxy",
            lambda name: name not in {*databases, "haproxy", "etcd"},
            lambda name: name in databases,
            lambda name: name == "etcd",
        ]
        groups = [[each for name, each in everything if belongs(name)] for belongs in order]
        await end_all(groups, hurry, self._report)
        if self._watching:
            self._watching.cancel()
        kill_children()  # a PostgreSQL whose Patroni was killed
        self.clean_up()
        remove_status(self.data_dir)

    def clean_up(self) -> None:
        """Take away what no process is: the network and the control groups."""
        remove_leftovers(self._folder)

    async def _reconcile(self) -> None:
        """Make it so that all desired cells run, instances know all of them, and HAProxy too (`desired`).

        Raises:
            StackError: a new cell did not start, and has been ended again; or there is no such file any more.
        """
        async with self._changing:
            desired = read_desired(self.data_dir)
            if desired is None:
                msg = "There is no cells.json in the data folder any more. Put a copy of it back."
                raise StackError(msg)
            known = self._known or desired  # what HAProxy knows
            new = [self._cell(each, desired) for each in desired.cells if each.number not in self._running]
            try:
                await _all(cell.start_databases(self._start, self._report) for cell in new)
                await self._tell_instances(desired, known)
                await _all(cell.start_instances(self._start, self._cells_file) for cell in new)
            except Exception:
                if self._running:  # else `stop` ends all in order
                    for host in (host for cell in new for host in cell.hosts):
                        await self._end_at_once(host.name)
                raise
            self._running |= {cell.number for cell in new}
            if known.slots != desired.slots:
                both = msgspec.structs.replace(known, slots=desired.slots)
                await self._tell_instances(desired, both, moving=True)
            await self._put_in_front(desired)
            await self._tell_instances(desired, desired)
            self._known = desired

    def _cell(self, wanted: DesiredCell, desired: Desired) -> Cell:
        """A cell, and its hosts. They are made at the first call."""
        if wanted.number not in self._cells:
            self._cells[wanted.number] = self._maker.make_cell(wanted, desired)
        return self._cells[wanted.number]

    @property
    def _cells_file(self) -> Path:
        return self.data_dir / CELLS_FILE

    async def _tell_instances(self, desired: Desired, known: Desired, *, moving: bool = False) -> None:
        """Write the file that tells the instances of all desired cells, and wait until they have seen it.

        Which of them take new users, and who has which slots, is told as it is known to HAProxy.
        """
        cells = [
            {
                "number": number,
                "postgres_url": self._cells[number].service.postgres,
                "mongodb_url": self._cells[number].service.mongodb,
                # A cell that is to take users does so before HAProxy sends any.
                "draining": cell.draining and number in known.by_number and known.by_number[number].draining,
            }
            for number, cell in desired.by_number.items()
        ]
        content = msgspec.json.encode(
            {"cells": cells, "slots": known.slots} | ({"moving": True} if moving else {})
        )
        if self._cells_file.exists() and self._cells_file.read_bytes() == content:
            return
        write_private(self._cells_file, content)
        if self._running:
            await asyncio.sleep(SECONDS_TO_SEE)

    async def _put_in_front(self, desired: Desired) -> None:
        await self._balancer.configure([self._cells[number] for number in desired.by_number], desired)
        haproxy = self._supervisors.get(THIS_MACHINE.name, {}).get("haproxy")
        if haproxy is None:
            await self._start([self._balancer.service])
        elif haproxy.pid:
            await self._balancer.reload(haproxy.pid)

    async def _start(self, services: Iterable[Service]) -> None:
        """Start services at the same time; return when all are ready."""
        supervisors = [Supervisor(service, self._report) for service in services]
        for supervisor in supervisors:
            service = supervisor.service
            self._supervisors.setdefault(service.program.host.name, {})[service.name] = supervisor
        await _all(supervisor.start() for supervisor in supervisors)

    async def _carry_out(self, words: list[str]) -> None:
        """Carry out what another process asks for (`control`, `faults`).

        Raises:
            StackError: it cannot be carried out.
        """
        match words:
            case ["reconcile"]:
                await self._reconcile()
            case ["kill", name]:
                self._dead.add(self._host(name).name)
                await self._end_at_once(name)
            case ["boot", name]:
                if self._host(name).name in self._dead:
                    self._dead.remove(name)
                    for supervisor in self._supervisors[name].values():
                        supervisor.resume()
            case ["cut", name]:
                self._maker.network.cut(self._host(name))
            case ["isolate", name]:
                cell = next(cell for cell in self._cells.values() if self._host(name) in cell.hosts)
                others = [host for host in cell.database_hosts if host.name != name]
                self._maker.network.isolate(self._host(name), others)
            case ["slow", name, *figures]:
                delay_ms, jitter_ms, loss_percent = map(float, figures)
                self._maker.network.slow(self._host(name), delay_ms, jitter_ms, loss_percent)
            case ["mend", name]:
                self._maker.network.mend(self._host(name))
            case _:
                raise StackError(f"The stack does not know what {' '.join(words)!r} means.")
        self._publish()

    def _host(self, name: str) -> Host:
        for cell in self._cells.values():
            for host in cell.hosts:
                if host.name == name:
                    return host
        raise StackError(f"There is no host {name}. `tandem status` names them.")

    async def _end_at_once(self, name: str) -> None:
        """Kill all that runs on a host, and start none of it again."""
        supervisors = self._supervisors.get(name, {}).values()
        await asyncio.gather(*(supervisor.let_go() for supervisor in supervisors))
        kill_children(below=self._folder.servers / name)
        await asyncio.gather(*(supervisor.kill() for supervisor in supervisors))

    def _watch(self) -> None:
        """From now on, publish what changes without our doing, and let ended processes of Patroni be gone."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, lambda: reap(but=Process.running))

        async def watch() -> None:
            while True:
                with suppress(OSError, StackError):
                    self._publish()
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

        self._watching = asyncio.create_task(watch())

    def _report(self, title: str, state: str) -> None:
        """A state has changed: publish the status, and show it."""
        with suppress(OSError, StackError):  # whatever is wrong with the disk, all must still be supervised
            self._publish()
        self._tell(title, state)

    def _publish(self) -> None:
        desired = read_desired(self.data_dir)
        status = status_of(self._options.port, self._cells, desired, self._supervisors, self._dead)
        ours = self._supervisors.get(THIS_MACHINE.name, {})
        status = msgspec.structs.replace(status, beside=tuple(each.status(ours) for each in self._beside))
        if status != self._published:
            write_status(self.data_dir, status)
            self._published = status


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all of it at the same time; the first error ends it."""

    async def one(each: Awaitable[None]) -> None:
        await each

    async with together() as group:
        for each in work:
            group.create_task(one(each))
