"""Emmett on Node, as its documentation teaches: an event store in PostgreSQL, a consumer that projects."""

import sys
from pathlib import Path

from tandem_lab.peers.local import Command, LocalPeer
from tandem_lab.peers.node import PATH
from tandem_lab.peers.protocol import About

HERE = Path(__file__).parent
PRODUCTION = {"PATH": PATH, "NODE_ENV": "production"}


class Emmett(LocalPeer):
    """A command appends an event to a stream; another program polls the store and writes to MongoDB.

    Version 0.42, the newest that is released, reads events in the order of their transactions and skips those
    whose position is below its checkpoint. Of events that are appended at once some have a lower position and
    a later transaction, and their users never reach MongoDB. https://github.com/event-driven-io/emmett/pull/336
    mends it, for 0.43.
    """

    about = About(
        name="emmett",
        what="Event sourcing with Emmett: events in PostgreSQL, a consumer that polls them for MongoDB.",
        sources=(HERE / "src",),
        made_with=("@event-driven-io/emmett", "@event-driven-io/emmett-postgresql", "express", "mongodb"),
    )
    prepare = (
        Command([sys.executable, "-m", "tandem_lab.peers.node", HERE], HERE),
        Command(["node", "dist/migrate.js"], HERE, PRODUCTION),
    )
    programs = {
        "instance": Command(["node", "dist/main.js"], HERE, PRODUCTION),
        "projector": Command(["node", "dist/projector.js"], HERE, PRODUCTION),
    }
    user_of = (
        "SELECT message_data->>'user' FROM emt_messages"
        " WHERE message_type = 'UserRegistered' AND message_data->'user'->>'email' = any($1)"
    )


peer = Emmett()
