"""`tandem down`: asks a running stack to end, and waits until it has."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from tandem_stack.data_folder import holder, is_held
from tandem_stack.errors import StackError

# Longer than all services may take to stop, one after the other.
PATIENCE_SECONDS = 180.0
_INTERVAL_SECONDS = 0.05


def end_stack(data_dir: Path) -> bool:
    """End the stack that runs on `data_dir`. Returns True when it has ended, False if none was running.

    Raises:
        StackError: it is still not gone after `PATIENCE_SECONDS`, or it belongs to another account.
    """
    try:
        if not is_held(data_dir):
            return False
        # If this process was killed, its child is already ending the stack.
        with suppress(ProcessLookupError):
            os.kill(holder(data_dir), signal.SIGTERM)
            os.kill(holder(data_dir), signal.SIGCONT)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's. Ask them, or use their account."
        raise StackError(msg) from None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_held(data_dir):
        if time.monotonic() > deadline:
            logs = data_dir / "logs"
            msg = f"The stack on {data_dir} still runs after {PATIENCE_SECONDS:.0f} s. Look into {logs}."
            raise StackError(msg)
        time.sleep(_INTERVAL_SECONDS)
    return True
