"""What can go wrong in the kernel; `tandem.errors` draws the whole tree."""

from tandem.errors import TandemError


class KernelError(TandemError):
    """The root of the kernel's errors."""


class Overloaded(KernelError):
    """Too much is waiting already. Nothing was done; try again in a moment."""


class Unavailable(KernelError):
    """A server that is needed does not answer just now. Whether the work was done may be unknown.

    A handler raises this only for what is no single item's fault: the batch is not split, and a coalescer
    with a `Backoff` tries it again until it succeeds.
    """


class UnsuitableServer(KernelError):
    """A server cannot be used as it is; the message says which, why, and what to do."""


class NoHandler(KernelError):
    """No handler is registered for this type of command. Register one with `CommandBus.register`."""
