"""pyeventsourcing: events in PostgreSQL, and a projection of them in MongoDB."""

import sys
from pathlib import Path

from tandem_lab.baselines.plain_way import wire
from tandem_lab.peers.local import Command, LocalPeer, installed
from tandem_lab.peers.protocol import About, Json, Request

HERE = Path(__file__).parent


class EventSourcing(LocalPeer):
    """Users are aggregates, whose events are stored; a second program projects them into MongoDB."""

    about = About(
        name="eventsourcing",
        what="Event sourcing by a library: an event for each user, and a projection woken by NOTIFY.",
        accepts_keys=True,
        sources=(HERE, Path(wire.__file__)),
        made_with=installed("eventsourcing", "psycopg", "fastapi", "pymongo", "uvicorn"),
    )
    programs = {
        "instance": Command([sys.executable, "service.py"], HERE),
        "projection": Command([sys.executable, "projection.py"], HERE),
    }
    user_of = (
        "SELECT details::text FROM users_events,"
        " LATERAL (SELECT convert_from(state, 'utf8')::jsonb -> 'details') AS event(details)"
        " WHERE details ->> 'email' = any($1)"
    )

    def command(self, user: Json, key: str) -> Request:
        """A POST with an idempotency key."""
        request = super().command(user, key)
        return Request(
            request.method, request.path, request.body, {**request.headers, "Idempotency-Key": key}
        )


peer = EventSourcing()
