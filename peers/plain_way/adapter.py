"""The plain way: FastAPI, SQLAlchemy and PyMongo, with a background task for MongoDB."""

import sys
from pathlib import Path

import msgspec

import tandem_lab.baselines.plain_way
from tandem_lab.peers.local import Command, LocalPeer
from tandem_lab.peers.protocol import About, Json, Request

SOURCES = Path(tandem_lab.baselines.plain_way.__path__[0])
SERVE = [sys.executable, "-m", "tandem_lab.baselines.plain_way.serve"]
FRESH = """
import asyncio
from tandem_lab.baselines.places import fresh_schema, settings
asyncio.run(fresh_schema(settings().postgres_url, "plain_way"))
"""
HERE = Path(__file__).parent


class PlainWay(LocalPeer):
    """Each user is committed, acknowledged, and then written to MongoDB by the same process."""

    about = About(
        name="plain_way",
        what="A dual write: commit to PostgreSQL, answer, then write to MongoDB from a background task.",
        sources=(SOURCES,),
        made_with=("fastapi", "sqlalchemy", "pymongo", "uvicorn"),
    )
    # Once: a start of its own would empty the tables again, as a baseline wants it.
    prepare = (Command([sys.executable, "-c", FRESH], HERE),)
    programs = {"instance": Command(SERVE, HERE, {"KEEP_USERS": "1"})}
    collection = "plain_way"
    user_of = (
        "SELECT rows::text FROM plain_way.lab_user"
        " WHERE id IN (SELECT id FROM plain_way.prm_user WHERE email = any($1))"
    )

    def command(self, user: Json, key: str) -> Request:
        """A POST, which cannot be sent again without danger: there are no keys."""
        del key
        headers = {"Content-Type": "application/json"}
        return Request("POST", "/api/v1/user-command?seed=peers", msgspec.json.encode(user), headers)


peer = PlainWay()
