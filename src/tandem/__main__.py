"""`tandem` and `python -m tandem`: the command line.

SIGTERM does not end the first process of a container unless that handles it: otherwise it is lost. So it is
handled first of all, before the imports, which take a third of a second.
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
