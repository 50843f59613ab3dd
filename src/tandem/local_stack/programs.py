"""Where the servers' programs are: in the wheels of `tandem[local]`, or copied to where they can be run."""

import importlib.util
import os
import shutil
from pathlib import Path

from tandem.local_stack.errors import StackError
from tandem.local_stack.server_user import ServerUser


def wheel_folder(package: str, *inside: str) -> Path | None:
    """A folder inside an installed package, or None where the package or the folder is missing."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    places = spec.submodule_search_locations if spec else None
    folder = Path(next(iter(places))).joinpath(*inside) if places else None
    return folder if folder and folder.is_dir() else None


def required_wheel_folder(package: str, *inside: str) -> Path:
    """Like `wheel_folder`.

    Raises:
        StackError: the package is missing.
    """
    folder = wheel_folder(package, *inside)
    if folder is None:
        msg = (
            f"The package that brings {package} is not installed. Install the local stack's servers with "
            "`pip install 'tandem-cqrs[local]'`, or point --postgres-url and --mongodb-url at your own."
        )
        raise StackError(msg)
    return folder


def runnable(folder: Path, program: str, user: ServerUser | None, copies: Path) -> Path:
    """The path of `program` (relative to `folder`) where `user` can run it.

    That is where it lies; or, where `user` cannot get at it (a parent with mode 0700) or the wheel set no run
    bit, a copy of the whole folder below `copies`. What lies in the wheel is never changed.
    """
    if (user is None or user.can_use(folder)) and os.access(folder / program, os.X_OK):
        return folder / program
    copy = copies / folder.name
    if not _same_file(folder / program, copy / program):
        _copy(folder, copy)
    (copy / program).chmod(0o755)
    return copy / program


def _same_file(original: Path, copy: Path) -> bool:
    """Whether `copy` was made from `original` as it is now."""
    if not copy.exists():
        return False
    ours, theirs = copy.stat(), original.stat()
    return (ours.st_size, int(ours.st_mtime)) == (theirs.st_size, int(theirs.st_mtime))


def _copy(folder: Path, copy: Path) -> None:
    """Copy a folder, readable by all, and in one step: a copy that was interrupted is never used."""
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    for old in (unfinished, copy):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(folder, unfinished)
    for path in (unfinished, *unfinished.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
    unfinished.rename(copy)
