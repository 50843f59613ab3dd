"""Two processes that watch each other, so that nothing outlives `tandem up`.

The process that was started is the guard: it only waits, and passes signals on. Its child does the work and
starts all the rest. Whichever of the two is killed, even with SIGKILL, the other is left to clean up: the
kernel tells the child that its parent has died, and it ends its parts in order; the guard inherits what its
child leaves behind, and kills it. Servers' workers and sessions, and processes that somebody stopped with
SIGSTOP, are no exception.
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


def run_guarded(work: Callable[[], int]) -> int:
    """Run `work` in a child that gets SIGTERM for each signal that asks us to end; returns its exit code.

    A negative exit code names the signal that killed the child.
    """
    adopt_orphans()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_child(guard, before, work)
    exit_code = _watch(child)
    kill_children()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return exit_code


def guard_is_gone(guard: int) -> bool:
    """For the child: whether the guard has been killed."""
    return os.getppid() != guard


def _be_the_child(guard: int, mask: Iterable[int], work: Callable[[], int]) -> None:
    exit_code = 1
    try:
        os.setsid()  # Ctrl-C reaches the guard alone, which passes it on: once
        adopt_orphans()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if signal_on_parents_death(signal.SIGTERM, guard):
            exit_code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(exit_code)


def _watch(child: int) -> int:
    """Pass signals on until the child ends; returns its exit code."""
    while True:
        if signal.sigwait(_WATCHED) != signal.SIGCHLD:
            os.kill(child, signal.SIGTERM)
            os.kill(child, signal.SIGCONT)  # somebody may have stopped it
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
