"""The kernel: what a CQRS program stands on. It knows no user, no database and no web.

* `CommandBus` sends each command to its one handler, and gathers commands into batches if asked to.
* `Gathered` turns an operation on a batch into one on a single item, so that handlers need not know batches.
* `EventBus` tells each event to its subscribers, and runs the sagas: functions from an event to a command.
* `AggregateRoot` collects the events of one change until they are published.
* `Coalescer` is what makes all of it fast: while a batch is in flight, what arrives forms the next one.

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
