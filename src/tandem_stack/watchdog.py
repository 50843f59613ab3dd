"""Two processes that watch each other, so that nothing outlives `tandem up`.

The process that was started is the watchdog: it only waits, and forwards signals. Its child does the work and
starts all the rest. If one of the two is killed, even with SIGKILL, the other one cleans up. When the
watchdog dies, the kernel sends the child a signal, and the child ends its services in order. When the child
dies, the watchdog inherits its processes and kills them all, even workers, sessions and stopped processes.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

from tandem_stack.processes import adopt_orphans, kill_children, signal_on_parents_death

_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_WATCHED = _STOP_SIGNALS | {signal.SIGCHLD}


def run_watched(work: Callable[[], int]) -> int:
    """Run `work` in a child, which gets SIGTERM for each signal that asks us to end. Returns its exit code.

    A negative exit code names the signal that killed the child.
    """
    adopt_orphans()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    watchdog = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_child(watchdog, before, work)
    exit_code = _watch(child)
    kill_children()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return exit_code


def watchdog_is_gone(watchdog: int) -> bool:
    """For the child: whether the watchdog has been killed."""
    return os.getppid() != watchdog


def _be_the_child(watchdog: int, mask: Iterable[int], work: Callable[[], int]) -> None:
    exit_code = 1
    try:
        os.setsid()  # so that Ctrl-C reaches only the watchdog, which forwards it once
        adopt_orphans()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if signal_on_parents_death(signal.SIGTERM, watchdog):
            exit_code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(exit_code)


def _watch(child: int) -> int:
    """Forward signals until the child ends. Returns its exit code."""
    while True:
        if signal.sigwait(_WATCHED) != signal.SIGCHLD:
            os.kill(child, signal.SIGTERM)
            os.kill(child, signal.SIGCONT)  # it may have been stopped (SIGSTOP)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
