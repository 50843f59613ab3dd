"""HAProxy's configuration where users are in several cells: which request goes to which of them.

* A command that names a cell, or an id, goes to that cell; one with an idempotency key to the cell that has
  the key's slot. The others create, and go to the least loaded instance of all cells that take new users.
* A read that names a cell, or an id, goes to that cell while it has an instance that answers, for its
  instances are nearest to what is asked for. All other reads go to any instance.

All instances are asked three questions, in three backends, and the other backends track these: `creates`
asks who takes new users, `commands_of_N` who can change the users that are there, `reads` who answers at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from tandem_stack.beside import Beside

# Where the routes of a system without cells begin in the template.
_ROUTES = "    # Where requests go, without cells.\n"
# All local load comes from one address, so that one may do what HAProxy can (`maxconn`).
_CLIENT_RATE = 1_000_000
_CLIENT_CONNECTIONS = 4_000
# Another answer means: nothing new, but what is in hand is answered.
_EXPECTED = "http-check expect status 200 error-status L7OKC"
# So many instances of other cells take over the reads of a cell whose own are away.
_STAND_INS = 2


@dataclass(frozen=True, kw_only=True)
class CellInstances:
    """The instances of one cell."""

    number: int
    #: `host:port` of each.
    addresses: Sequence[str]
    #: Whether it takes no new users any more.
    draining: bool = False


def configuration(
    listen: str, cells: Sequence[CellInstances], slots: Path, beside: Sequence[Beside] = ()
) -> str:
    """The content of haproxy.cfg.

    Args:
        listen: the address and port for clients.
        cells: all cells; those whose slots are in `slots` must be among them.
        slots: the file with what `slots_map` says. HAProxy reads it when it starts or reloads.
        beside: the programs beside the stack.
    """
    common, _, _ = _template("haproxy.cfg.template").partition(_ROUTES)
    words = {"LISTEN": listen, "CLIENT_RATE": _CLIENT_RATE, "CLIENT_CONNECTIONS": _CLIENT_CONNECTIONS}
    routes = _template("haproxy_cells.cfg.template")
    return "\n".join(
        (
            Template(common).safe_substitute(words)
            + "".join(
                f"    use_backend {each.name} if {{ path {each.path} }} or {{ path_beg {each.path}/ }}\n"
                for each in beside
            )
            + Template(routes).safe_substitute(KNOWN=_known(cells), SLOTS=slots),
            *(_backend(each.name, "without_key", [_asked(each.address)]) for each in beside),
            *_backends_of_all(cells),
            *(backend for cell in cells for backend in _backends_of(cell, cells)),
        )
    )


def slots_map(slots: Sequence[Sequence[int]]) -> str:
    """The file that gives the cell of each slot.

    Args:
        slots: for each slot, the cells that have had it; the last one has it now.
    """
    return "".join(f"{slot} {owners[-1]}\n" for slot, owners in enumerate(slots))


def _template(name: str) -> str:
    return files("tandem_stack").joinpath(name).read_text()


def _known(cells: Sequence[CellInstances]) -> str:
    """The condition that there is such a cell. A line of HAProxy's configuration has 64 words at most."""
    numbers = [str(cell.number) for cell in cells]
    rows = (numbers[start : start + 32] for start in range(0, len(numbers), 32))
    return "\n".join(f"    acl known var(txn.cell) -m int {' '.join(row)}" for row in rows)


def _backends_of_all(cells: Sequence[CellInstances]) -> list[str]:
    everybody = [address for cell in cells for address in cell.addresses]
    growing = [address for cell in cells if not cell.draining for address in cell.addresses]
    return [
        _backend("creates", "without_key", [_asked(address) for address in growing], "/health/ready"),
        _backend("reads", "reading", [_asked(address) for address in everybody], "/health/read"),
    ]


def _backends_of(cell: CellInstances, cells: Sequence[CellInstances]) -> list[str]:
    own, commands = cell.addresses, f"commands_of_{cell.number}"
    with_key = [_tracked(address, commands) for address in own]
    reads = [_tracked(address, "reads") for address in own]
    reads += [_tracked(address, "reads", "backup") for address in _stand_ins(cell, cells)]
    return [
        _backend(commands, "without_key", [_asked(address) for address in own], "/health/ready?for=changes"),
        _backend(f"commands_with_key_of_{cell.number}", "with_key", with_key),
        _backend(f"reads_of_{cell.number}", "reading", reads),
    ]


def _stand_ins(cell: CellInstances, cells: Sequence[CellInstances]) -> list[str]:
    """An instance of each of the next cells."""
    place = cells.index(cell)
    following = (*cells[place + 1 :], *cells[:place])
    return [other.addresses[0] for other in following if other.addresses][:_STAND_INS]


def _backend(name: str, defaults: str, servers: Sequence[str], question: str | None = None) -> str:
    check = [f"    option httpchk GET {question}", f"    {_EXPECTED}"] if question else []
    return "\n".join((f"backend {name} from {defaults}", *check, *servers, ""))


def _asked(address: str) -> str:
    return f"    server {address} {address}"


def _tracked(address: str, backend: str, *more: str) -> str:
    """A server that is up where the one of the same name in `backend` is."""
    return " ".join((f"    server {address} {address} no-check track {backend}/{address}", *more))
