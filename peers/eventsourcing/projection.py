"""The read model: users as documents in MongoDB, brought there by a projection, event by event.

A projection must record its position together with what it writes. Here each document has the position of its
event, so this takes one write, and no transaction. What fails ends the program, which begins where it was.
"""

import os
import signal
from typing import Any
from uuid import UUID

from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Tracking, TrackingRecorder
from eventsourcing.projection import BaseProjectionRunner, Projection
from eventsourcing.utils import get_topic
from pymongo import MongoClient
from users import User, Users, settings


class Documents(TrackingRecorder):
    """The materialised view."""

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        super().__init__()
        self._users = client.get_default_database()["users"]
        self._users.create_index("email")
        self._users.create_index("position", unique=True)

    def put(self, user_id: UUID, details: dict[str, Any], tracking: Tracking) -> None:
        """Write a user's document and the position."""
        document = details | {"position": tracking.notification_id}
        self._users.replace_one({"_id": str(user_id)}, document, upsert=True)

    def insert_tracking(self, tracking: Tracking) -> None:
        raise NotImplementedError  # only for events that change nothing, of which there are none

    def max_tracking_id(self, application_name: str) -> int | None:
        del application_name
        newest = self._users.find_one({}, {"position": True}, sort=[("position", -1)])
        return newest and newest["position"]


class UserDocuments(Projection[Documents]):
    """What each event means to the documents."""

    topics = (get_topic(User.Registered),)

    @singledispatchmethod
    def process_event(self, domain_event: DomainEventProtocol[UUID], tracking: Tracking) -> None:
        raise NotImplementedError

    @process_event.register
    def _(self, registered: User.Registered, tracking: Tracking) -> None:
        self.view.put(registered.originator_id, registered.details, tracking)


def main() -> None:
    """Run until a signal, or until something fails."""
    with MongoClient(os.environ["MONGODB_URL"], w="majority", journal=True) as client:
        view = Documents(client)
        projection = UserDocuments(view=view)
        with BaseProjectionRunner(
            projection=projection,
            application_class=Users,
            tracking_recorder=view,
            topics=projection.topics,
            env=settings(),
        ) as runner:
            signal.signal(signal.SIGTERM, lambda *_: runner.stop())
            runner.run_forever()


if __name__ == "__main__":
    main()
