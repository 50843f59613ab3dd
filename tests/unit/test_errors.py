"""The errors of the service are one tree, and it is drawn as it is."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import tandem
from tandem.errors import TandemError

#: They go from one function of ours to another, and nobody else sees them.
SIGNALS = {"HeldUp", "KeyTaken", "UnreadableEvent"}


def errors_of_the_service() -> Iterator[type[BaseException]]:
    """Every public class of exceptions that a module of the service defines."""
    for module in pkgutil.walk_packages(tandem.__path__, "tandem."):
        if module.name.endswith("__main__"):
            continue
        for name, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            is_its_own = found.__module__ == module.name and not name.startswith("_")
            if is_its_own and issubclass(found, BaseException):
                yield found


def test_every_error_is_in_the_tree_but_those_that_nobody_else_sees():
    outside = {found.__name__ for found in errors_of_the_service() if not issubclass(found, TandemError)}
    assert outside == SIGNALS


def test_the_tree_is_drawn_as_it_is():
    drawn = re.findall(r"[├└]── (\w+)", TandemError.__doc__ or "")
    inside = {found.__name__ for found in errors_of_the_service() if issubclass(found, TandemError)}
    assert sorted(drawn) == sorted(inside - {"TandemError"})
