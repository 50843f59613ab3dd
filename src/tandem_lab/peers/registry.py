"""Finding peers: those of `peers/` in a checkout by their names, and anybody's as `module:object`."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from tandem_lab.errors import LabError
from tandem_lab.peers.protocol import Peer

#: One folder for each, with an `adapter.py` that has the adapter as `peer`.
PEERS = Path(__file__).parents[3] / "peers"


def names() -> list[str]:
    """The names of all peers of this checkout, Tandem first."""
    found = {folder.parent.name for folder in PEERS.glob("*/adapter.py")}
    return sorted(found, key=lambda name: (name != "tandem", name))


def peers_named(one_by_one: Sequence[str], together: str | None = None) -> dict[str, Peer]:
    """The peers of these names, each once. `together`: more, with commas; or `all`, those of this checkout.

    Raises:
        LabError: see `peer_named`; or two call themselves alike, so that no report could tell them apart.
    """
    several = [name.strip() for name in (together or "").split(",")]
    wanted = [*one_by_one, *((names() or several) if several == ["all"] else several)]
    found = {name: peer_named(name) for name in wanted if name}
    if len({peer.about.name for peer in found.values()}) < len(found):
        raise LabError("Two of these peers have the same name (`about.name`).")
    return found


def peer_named(name: str) -> Peer:
    """The peer of this name, or the object that `module:object` names. Modules are also found in the cwd.

    Raises:
        LabError: there is none, or it cannot be imported; says what there is.
    """
    module, _, attribute = name.partition(":")
    if attribute:
        sys.path[:0] = [str(Path.cwd())]
        try:
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
        except (ImportError, AttributeError) as error:
            msg = f"There is no peer {name!r}: {error}. Name one as module:object, importable from here."
            raise LabError(msg) from None
        finally:
            del sys.path[0]
    if name not in names():
        there_are = f"There are: {', '.join(names())}" if names() else "Peers come with the sources"
        msg = f"There is no peer {name!r}. {there_are}; your own is named module:object."
        raise LabError(msg)
    file = PEERS / name / "adapter.py"
    spec = importlib.util.spec_from_file_location(f"peers_{name}", file)
    assert spec is not None  # noqa: S101 - narrows the type: it is a Python file
    assert spec.loader is not None  # noqa: S101 - the same
    adapter = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(adapter)
    except ImportError as error:
        msg = f"The peer {name!r} needs {error.name}. `make dev` installs what all peers need."
        raise LabError(msg) from None
    return adapter.peer  # type: ignore[no-any-return]
