"""The clock that goes on whatever happens to the process."""

import time


def uptime() -> float:
    """Seconds since this machine was started. They pass while it is suspended, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
