"""`tandem down`: asks a running stack to end, and waits until it has."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from tandem_stack.data_folder import holder, is_held
from tandem_stack.errors import StackError

# Longer than the patience with all services, one after the other.
PATIENCE = 180.0
_INTERVAL = 0.05


def end_stack(data_dir: Path) -> bool:
    """End the stack that runs on `data_dir`. Returns False where none does, True once all of it has ended.

    Raises:
        StackError: it is still not gone after `PATIENCE` seconds, or it is somebody else's.
    """
    try:
        if not is_held(data_dir):
            return False
        # Gone already, if it was killed: its child is ending the stack by itself then.
        with suppress(ProcessLookupError):
            os.kill(holder(data_dir), signal.SIGTERM)
            os.kill(holder(data_dir), signal.SIGCONT)
    except PermissionError:
        msg = f"The stack on {data_dir} is somebody else's. Ask them, or use their account."
        raise StackError(msg) from None
    deadline = time.monotonic() + PATIENCE
    while is_held(data_dir):
        if time.monotonic() > deadline:
            msg = f"The stack on {data_dir} still runs after {PATIENCE:.0f} s. Look into {data_dir / 'logs'}."
            raise StackError(msg)
        time.sleep(_INTERVAL)
    return True
