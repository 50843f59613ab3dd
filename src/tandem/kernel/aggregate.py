"""The aggregate root: the object through which one thing changes, and which records that in events."""

from tandem.kernel.messages import Event


class AggregateRoot:
    """Collects the events of a change, until `EventBus.publish_from` takes and publishes them."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: list[Event] = []

    def apply(self, event: Event) -> None:
        """Record that `event` happened to this aggregate."""
        self._events.append(event)

    def collect_events(self) -> list[Event]:
        """The recorded events in their order; the aggregate holds none afterwards."""
        events, self._events = self._events, []
        return events
