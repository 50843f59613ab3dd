"""The kernel: what a CQRS program stands on. It knows no user, no database and no web.

* `CommandBus` sends each command to its one handler, and gathers commands into batches where it is told to.
* `Gathered` makes an operation on one thing of one on a batch, so that handlers need know no batches.
* `EventBus` tells each event to those who subscribed, and runs the sagas: functions from event to command.
* `AggregateRoot` collects the events of one change until they are published.
* `Coalescer` is the primitive under all speed here: while a batch is in flight, what arrives forms the next.

`docs/kernel.md` builds a small program of its own with these five.
"""

from tandem.kernel.aggregate import AggregateRoot
from tandem.kernel.background import keep_running
from tandem.kernel.backoff import Backoff
from tandem.kernel.coalescer import BatchPolicy, Coalescer
from tandem.kernel.command_bus import CommandBus
from tandem.kernel.errors import KernelError, Overloaded, Unavailable, UnsuitableServer
from tandem.kernel.event_bus import EventBus
from tandem.kernel.gathered import Gathered
from tandem.kernel.messages import Command, Event

__all__ = [
    "AggregateRoot",
    "Backoff",
    "BatchPolicy",
    "Coalescer",
    "Command",
    "CommandBus",
    "Event",
    "EventBus",
    "Gathered",
    "KernelError",
    "Overloaded",
    "Unavailable",
    "UnsuitableServer",
    "keep_running",
]
