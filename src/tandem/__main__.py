"""`tandem` and `python -m tandem`: the command line.

The first process of a container does not end by SIGTERM unless it handles the signal. So the signal is
handled before the imports, which take a third of a second: otherwise one that comes meanwhile would be lost.
"""

import signal
import sys
from typing import Any

#: The exit code of what SIGTERM ended, as shells count it.
TERMINATED = 128 + signal.SIGTERM


def _end(*_: Any) -> None:
    sys.exit(TERMINATED)


def main() -> None:
    """Carry out what the arguments say."""
    from tandem.cli import main as command_line  # noqa: PLC0415 - see above

    command_line(prog_name="tandem")


signal.signal(signal.SIGTERM, _end)
if __name__ == "__main__":
    main()
