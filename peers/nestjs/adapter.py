"""NestJS, as its recipe for CQRS teaches it: commands, events in memory, and sagas from one to the next."""

import sys
from pathlib import Path

import msgspec

from tandem_lab.peers.local import Command, LocalPeer
from tandem_lab.peers.node import PATH
from tandem_lab.peers.protocol import About, Json, Request

HERE = Path(__file__).parent
PRODUCTION = {"PATH": PATH, "NODE_ENV": "production"}


class NestJs(LocalPeer):
    """Each user is committed and acknowledged; a saga of the same process then takes it to MongoDB."""

    about = About(
        name="nestjs",
        what="NestJS with @nestjs/cqrs: commit to PostgreSQL, answer; sagas in memory write to MongoDB.",
        sources=(HERE / "src",),
        made_with=("@nestjs/core", "@nestjs/cqrs", "typeorm", "mongoose"),
    )
    prepare = (
        Command([sys.executable, "-m", "tandem_lab.peers.node", HERE], HERE),
        Command(
            ["node", "node_modules/typeorm/cli.js", "schema:sync", "-d", "dist/data-source.js"],
            HERE,
            PRODUCTION,
        ),
    )
    programs = {"instance": Command(["node", "dist/main.js"], HERE, PRODUCTION)}
    user_of = (HERE / "user_of.sql").read_text()

    def command(self, user: Json, key: str) -> Request:
        """A POST, which cannot be sent again without danger: there are no keys."""
        del key
        headers = {"Content-Type": "application/json"}
        return Request("POST", "/user-command?seed=peers", msgspec.json.encode(user), headers)


peer = NestJs()
