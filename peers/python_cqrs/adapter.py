"""python-cqrs: a mediator with commands and handlers, and the library's own outbox.

It was chosen over Protean 0.18, which is kept no worse. But Protean has no adapter for MongoDB, and between a
process that writes and one that projects it wants Redis, or Message DB as its event store; what it offers
without them is in memory, and lost with the process. python-cqrs wants a broker, too, but any: its
documentation says how to write one.
"""

import sys
from pathlib import Path

from tandem_lab.baselines.plain_way import wire
from tandem_lab.peers.local import Command, LocalPeer, installed
from tandem_lab.peers.protocol import About

HERE = Path(__file__).parent
TABLES = HERE.parent / "relational"
PATHS = {"PYTHONPATH": str(TABLES)}


class PythonCqrs(LocalPeer):
    """Users and events are committed together; a second program brings the events to MongoDB."""

    about = About(
        name="python_cqrs",
        what="Commands and a transactional outbox by a library, whose producer polls every 100 ms.",
        sources=(HERE, TABLES, Path(wire.__file__)),
        made_with=installed("python-cqrs", "di", "fastapi", "sqlalchemy", "asyncpg", "pymongo", "uvicorn"),
    )
    prepare = (Command([sys.executable, "publisher.py", "prepare"], HERE, PATHS),)
    programs = {
        "instance": Command([sys.executable, "service.py"], HERE, PATHS),
        "publisher": Command([sys.executable, "publisher.py"], HERE, PATHS),
    }
    user_of = (TABLES / "user.sql").read_text()


peer = PythonCqrs()
