"""A transactional outbox whose worker is woken by LISTEN and NOTIFY, and polls every 5 s."""

import sys
from pathlib import Path

from tandem_lab.baselines.plain_way import wire
from tandem_lab.peers.local import Command, LocalPeer, installed
from tandem_lab.peers.protocol import About

HERE = Path(__file__).parents[1] / "outbox"
TABLES = HERE.parent / "relational"
OUTBOX = {"PYTHONPATH": str(TABLES), "OUTBOX": "notified"}


class OutboxNotified(LocalPeer):
    """Users and outbox rows are committed together; a second program brings them to MongoDB."""

    about = About(
        name="outbox_notified",
        what="A transactional outbox whose worker is woken by LISTEN and NOTIFY, and polls every 5 s.",
        sources=(HERE, TABLES, Path(wire.__file__)),
        made_with=installed("fastapi", "sqlalchemy", "asyncpg", "pymongo", "uvicorn"),
    )
    prepare = (Command([sys.executable, "outbox.py"], HERE, OUTBOX),)
    programs = {
        "instance": Command([sys.executable, "service.py"], HERE, OUTBOX),
        "worker": Command([sys.executable, "worker.py"], HERE, OUTBOX),
    }
    user_of = (TABLES / "user.sql").read_text()


peer = OutboxNotified()
