"""How commands ask a running instance, or the load balancer of the running stack."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from http.client import HTTPException
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click
import msgspec

from tandem.errors import TandemError

TIMEOUT_SECONDS = 30
# Not an option: everybody on this machine can read the command lines of others.
ACCESS_VARIABLE = "TANDEM_TOKEN"
# Statuses of answers that say: not now. nginx's for instances that do not answer are among them.
_PASSING = frozenset((429, 502, 503, 504))


class NoAnswer(TandemError):
    """An instance cannot be asked, does not answer, or answers with a problem."""

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        """`may_pass`: the same question may be answered later."""
        super().__init__(message)
        self.may_pass = may_pass


class Answered(NamedTuple):
    """An answer."""

    body: bytes
    headers: Message


class RunningStack(Protocol):
    """What the package that runs stacks offers, by the entry point `tandem.running`."""

    #: The variable of the environment that names the data folder for all commands.
    DATA_DIR_VARIABLE: str

    def data_dir_option(self, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """The option `--data-dir`."""

    def running_url(self, data_dir: Path) -> str:
        """Where the stack on that folder answers."""

    def running_databases(self, data_dir: Path) -> tuple[str, str]:
        """The owner's URLs of its databases."""


def running_stack() -> RunningStack:
    """What knows of the stack on this machine."""
    (point,) = entry_points(group="tandem.running")
    stack: RunningStack = point.load()
    return stack


def address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--url` and `--data-dir`, of which `base_url` makes an address."""
    url = click.option("--url", help="Where an instance or the load balancer answers.  [default: the stack]")
    return url(running_stack().data_dir_option("The data folder of the running stack.")(command))


def base_url(url: str | None, data_dir: Path) -> str:
    """The given address, or that of the stack that runs on `data_dir`.

    Raises:
        NoAnswer: there is neither, or it is not an address.
    """
    if url is None:
        url = running_stack().running_url(data_dir)
    if not url.startswith(("http://", "https://")):
        msg = f"{url!r} is not an address: it must begin with http:// or https://."
        raise NoAnswer(msg)
    return url.rstrip("/")


def ask(address: str, method: str = "GET") -> bytes:
    """The body of the answer; see `answer_of`."""
    return answer_of(address, method).body


def answer_of(address: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answered:
    """The answer; sends the access token in TANDEM_TOKEN, where there is one.

    Raises:
        NoAnswer: there is no answer, or the answer is a problem; says which.
    """
    request = urllib.request.Request(address, method=method)  # noqa: S310 - base_url lets only http(s) pass
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    if token := os.environ.get(ACCESS_VARIABLE):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return Answered(bytes(answer.read()), answer.headers)
    except urllib.error.HTTPError as error:
        raise NoAnswer(_problem(error), may_pass=error.code in _PASSING) from None
    except (OSError, ValueError, HTTPException) as error:
        place = address.partition("?")[0]
        msg = f"{place} does not answer: {_why(error)}. Is it running? `tandem up` starts a stack."
        raise NoAnswer(msg, may_pass=True) from None


def _why(error: Exception) -> str:
    """The reason in words, without the names that Python has for it."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"nothing came for {TIMEOUT_SECONDS} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        return str(msgspec.json.decode(error.read())["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"{error.url} answered {error.code} ({error.reason})."
