"""Commands as people run them: on a terminal of a given width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator

from command_line import TANDEM

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class OnTerminal:
    """A command that runs on a terminal of its own."""

    def __init__(self, *arguments: object, columns: int = 80, **environment: str) -> None:
        self._terminal, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        # These would count for more than the terminal's own size.
        outer = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [*TANDEM, *map(str, arguments)],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**outer, "TERM": "xterm-256color", **environment},
        )
        os.close(other)

    def shown(self) -> Iterator[str]:
        """What it shows, bit by bit until it ends, without colours and movements of the cursor."""
        try:
            while some := os.read(self._terminal, 65_536):
                yield ESCAPES.sub("", some.decode(errors="replace")).replace("\r", "\n")
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
        finally:
            os.close(self._terminal)

    def to_its_end(self) -> tuple[int, str]:
        """Its exit code, and all that it has shown."""
        shown = "".join(self.shown())
        return self.process.wait(), shown
