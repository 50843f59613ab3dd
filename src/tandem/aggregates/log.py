"""How the log of an aggregate is checked; see `user_command.log_check`."""

from collections.abc import Sequence
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.events import StoredEvent, state_after
from tandem.aggregates.queries import queries_of
from tandem.user_command.event_log import UnreadableEvent
from tandem.user_command.log_check import Log


def log_of(aggregate: Aggregate[Any]) -> Log:
    """The log of this aggregate, read by its events, upcasters and `evolve`."""

    def trouble(events: Sequence[StoredEvent]) -> str | None:
        try:
            state_after(aggregate, events)
        except UnreadableEvent as error:
            return str(error)
        except Exception as error:
            # The author's code. What it says may quote what is stored.
            return f"its events cannot be folded: {type(error).__name__}"
        return None

    kind = aggregate.name
    page = queries_of(kind)["read_events"]
    return Log(kind, aggregate.plural, f"prm_{kind}_event", page, StoredEvent, trouble)
