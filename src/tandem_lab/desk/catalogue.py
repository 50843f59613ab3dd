"""The faults and presets that a running stack can be asked for."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from tandem_lab.strikes import SERVERS
from tandem_stack.status import CellStatus, Status

#: How long a fault lasts that has an end of its own.
SHORTEST_SECONDS, LONGEST_SECONDS, USUAL_SECONDS = 1, 60, 7
#: What a rolling restart is about.
EVERY_INSTANCE = "every instance"


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """A fault as the page offers it: to whom it can happen, and whether one says for how long."""

    name: str
    title: str
    what: str
    targets: list[str]
    has_seconds: bool = False


class Preset(msgspec.Struct, frozen=True):
    """Several faults by one name."""

    name: str
    title: str
    what: str


class Step(NamedTuple):
    """A fault of a preset, so many seconds after its beginning; `seconds` is how long it lasts."""

    after_seconds: float
    fault: str
    seconds: int = USUAL_SECONDS


#: Every preset, and the faults that it is made of.
PRESETS = {
    Preset(
        "freeze-mongodb-then-kill-instance",
        "Freeze MongoDB, then kill an instance",
        "The instance dies with hundreds of users that MongoDB does not have yet. Others take them over.",
    ): [Step(0, "pause-mongodb", 10), Step(3, "kill-instance", 8)],
    Preset(
        "kill-both-databases",
        "Kill both databases",
        "PostgreSQL and MongoDB are killed at the same moment, and come back.",
    ): [Step(0, "kill-postgres"), Step(0, "kill-mongodb")],
    Preset(
        "rolling-restart-under-load",
        "Rolling restart under load",
        "With users on their way, one instance after the other ends in order, as in an upgrade.",
    ): [Step(0, "rolling-restart")],
}


def faults_of(status: Status, servers: Collection[str]) -> list[Fault]:
    """What can happen to a stack that has started these database servers."""
    instances = [instance.app_id for instance in status.instances]
    found = [
        Fault(
            "kill-instance",
            "Kill an instance",
            "It dies with all that it had in hand, and again whenever it is back, for so long.",
            instances,
            has_seconds=True,
        ),
        Fault(
            "pause-instance",
            "Freeze an instance",
            "It stands still and answers nothing. Longer than 5 s, and others take its users over.",
            instances,
            has_seconds=True,
        ),
        *(fault for name in sorted(servers) for fault in _of_server(name)),
        Fault(
            "rolling-restart",
            "Rolling restart",
            "One instance after the other is ended in order and starts again.",
            [EVERY_INSTANCE],
        ),
        *_of_hosts(status),
    ]
    return [fault for fault in found if fault.targets]


def presets_of(faults: Sequence[Fault]) -> list[Preset]:
    """Those whose faults are all among these."""
    names = {fault.name for fault in faults}
    return [preset for preset, steps in PRESETS.items() if names.issuperset(step.fault for step in steps)]


def _of_server(name: str) -> list[Fault]:
    title = SERVERS[name]
    return [
        Fault(f"kill-{name}", f"Kill {title}", "It dies at once, and recovers when it is back.", [name]),
        Fault(
            f"pause-{name}",
            f"Freeze {title}",
            "It is there and answers nothing.",
            [name],
            has_seconds=True,
        ),
    ]


def _of_hosts(status: Status) -> list[Fault]:
    hosts = [host for cell in status.cells for host in cell.hosts]
    replicated = [str(cell.number) for cell in status.cells if _has_standbys(cell)]
    cables = [host.name for host in hosts if host.namespace]
    return [
        Fault(
            "kill-host",
            "Kill a host",
            "It loses its power: all that runs on it dies, and starts again later.",
            [host.name for host in hosts],
            has_seconds=True,
        ),
        Fault("cut-host", "Cut a host", "Its cable is pulled: it goes on, alone.", cables, has_seconds=True),
        *(
            Fault(
                f"failover-{name}",
                f"Have {title} hand over",
                "The one that takes writes hands over to another host.",
                [f"cell {number}" for number in replicated],
            )
            for name, title in SERVERS.items()
        ),
    ]


def _has_standbys(cell: CellStatus) -> bool:
    return sum("mongodb" in host.pids for host in cell.hosts) > 1
