"""A Python that the servers' account can run, for the one server that is written in it: Patroni."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tandem_stack.data_folder import DataFolder
from tandem_stack.errors import StackError
from tandem_stack.programs import let_all_read

# Of what a package needs only for some uses, these uses are ours.
USES = {"etcd3", "psycopg3", "binary"}
# What no server needs of Python's own library: half of its size.
LEFT_OUT = (
    "site-packages",
    "dist-packages",
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "config-*",
)


def python_of_servers(folder: DataFolder, package: str) -> tuple[Path, dict[str, str]]:
    """A Python that can import `package`, and the variables that it needs for that.

    It is our own, or a copy of it with what the package needs, if the servers' account cannot reach ours.

    Raises:
        StackError: the package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        msg = f"{package} is not installed. Install what hosts need with `pip install 'tandem-cqrs[hosts]'`."
        raise StackError(msg)
    found, user = distribution(package), folder.user
    ours, installed = Path(sys.executable), Path(str(found.locate_file(package)))
    if user is None or all(map(user.can_enter, (ours.parent, ours.resolve().parent, installed))):
        return ours, {}
    copy = folder.programs / f"{package}-{found.version}-{ours.resolve().name}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy_python(unfinished)
        for each in _with_needed(found, set()):
            _copy_distribution(each, unfinished / "lib" / _VERSION / "site-packages")
        let_all_read(unfinished)
        unfinished.rename(copy)
    return copy / "bin" / _VERSION, {
        "PYTHONHOME": str(copy),
        "PYTHONPATH": str(copy / "lib" / _VERSION / "site-packages"),
        "LD_LIBRARY_PATH": str(copy / "lib"),
    }


_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def _copy_python(place: Path) -> None:
    """Copy the Python that ours was made from: its program, libraries, and modules."""
    base = Path(sys.base_prefix)
    (place / "bin").mkdir(parents=True)
    shutil.copy(base / "bin" / _VERSION, place / "bin" / _VERSION)
    shutil.copytree(
        Path(os.__file__).parent, place / "lib" / _VERSION, ignore=shutil.ignore_patterns(*LEFT_OUT)
    )
    for library in base.glob("lib*/libpython*"):
        shutil.copy(library, place / "lib" / library.name)


def _with_needed(found: Distribution, seen: set[str]) -> Iterator[Distribution]:
    """A distribution, and all that it needs, each once."""
    yield found
    for line in found.requires or ():
        name, _, condition = line.partition(";")
        only_for = set(re.findall(r"extra\s*==\s*[\"']([\w-]+)", condition))
        name = re.split(r"[^\w.-]", name.strip())[0]
        if name in seen or (only_for and not only_for & USES):
            continue
        seen.add(name)
        try:
            yield from _with_needed(distribution(name), seen)
        except PackageNotFoundError:  # another platform or another Python needs it
            continue


def _copy_distribution(found: Distribution, place: Path) -> None:
    """Copy a distribution's files. Its commands are elsewhere, and stay there."""
    for file in found.files or ():
        if ".." not in file.parts:
            copy = place / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), copy)  # with its time, by which Python knows compiled files
