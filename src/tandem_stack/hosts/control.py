"""How others speak with a running stack of hosts: a line over a socket in the data folder, and one back.

A file and a signal would do to tell the stack something. But who lets a host die for a test wants to know
when it is dead, and who adds a cell why that has failed. Only the account that runs the stack can use it.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tandem_stack.errors import StackError
from tandem_stack.running import nothing_runs_on

FILE = "control"
DONE = "done"
MOST_BYTES = 10_000  # of a line


class Control:
    """The stack's end. `carry_out` is called with the words of a line, and raises StackError if it cannot."""

    def __init__(self, data_dir: Path, carry_out: Callable[[list[str]], Awaitable[None]]) -> None:
        self._data_dir = data_dir
        self._carry_out = carry_out
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen."""
        (self._data_dir / FILE).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            with _short(self._data_dir) as folder:
                listener.bind(f"{folder}/{FILE}")
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._answer, sock=listener, limit=MOST_BYTES)

    def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
        (self._data_dir / FILE).unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):  # a line that is too long, or nobody who waits for the answer
            try:
                await self._carry_out((await reader.readline()).decode().split())
                answer = DONE
            except StackError as error:
                answer = " ".join(str(error).split())
            writer.write(f"{answer}\n".encode())
            await writer.drain()
        writer.close()


async def ask(data_dir: Path, *words: object) -> None:
    """Say a line to the stack that runs on this data folder, and wait until it has been carried out.

    Raises:
        StackError: it cannot be carried out, says why; or no stack of hosts is running there.
    """
    try:
        with _short(data_dir) as folder:
            reader, writer = await asyncio.open_unix_connection(f"{folder}/{FILE}", limit=MOST_BYTES)
    except OSError:
        raise StackError(nothing_runs_on(data_dir, "up --hosts")) from None
    try:
        writer.write((" ".join(map(str, words)) + "\n").encode())
        answer = (await reader.readline()).decode().strip()
    except (OSError, ValueError):
        answer = ""
    finally:
        writer.close()
    if answer != DONE:
        raise StackError(answer or f"The stack on {data_dir} has ended before it answered.")


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Another path of a folder, since that of a socket may have only 107 bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
